"""What is written about the project is true: trees name what is there, links lead somewhere, pages are listed."""

import re
import tomllib
from pathlib import PurePosixPath

from tests.house.files import PURE, ROOT, expect_none, sources, tracked
from tools import reference

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
FRAGMENT = re.compile(r"(\d+|\+[a-z0-9-]+)\.(feature|bugfix|doc|removal|misc)\.md")
# What people look for at the top without being told.
UNLISTED = frozenset({"README.md", "LICENSE", "pyproject.toml", ".gitignore", "CHANGELOG.md"})
UNLISTED_PAGES = frozenset({"ARCHITECTURE.md", "CONTRIBUTING.md", ".ci", "SECURITY.md"})


def test_the_tree_in_readme_is_true() -> None:
    expect_none(untrue_tree(tree_entries((ROOT / "README.md").read_text()), tracked()))


def test_every_link_leads_somewhere() -> None:
    expect_none(
        fault
        for path in tracked()
        if path.endswith(".md")
        for fault in dead_links(path, (ROOT / path).read_text(), tracked())
    )


def test_every_page_is_reached_from_an_index() -> None:
    for index in ("docs/README.md", "docs/decisions/README.md"):
        expect_none(unlisted_pages(index, (ROOT / index).read_text(), tracked()))


def test_reference_pages_are_what_the_code_says() -> None:
    expect_none(
        f"docs/reference/{name} is not current: run `make docs`"
        for name, text in reference.pages().items()
        if (reference.DIRECTORY / name).read_text() != text
    )


def test_every_change_fragment_has_a_kind_and_is_not_empty() -> None:
    fragments = [path for path in tracked() if path.startswith("changes/")]
    expect_none(fault for path in fragments for fault in bad_fragments(path))


def test_the_purity_contract_names_every_pure_package() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    purity = next(each for each in contracts["contracts"] if each["id"] == "purity")
    there = {f"gigawatt.{source.package}" for source in sources() if source.package in PURE}
    assert set(purity["source_modules"]) == there - {"gigawatt.spec"}  # spec may use Pydantic


def test_every_dependency_is_accounted_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = project["dependencies"] + [each for extra in extras for each in extra]
    page = (ROOT / "docs/decisions/0007-dependencies.md").read_text()
    expect_none(unaccounted(wanted, page))


def test_the_surface_of_the_command_line_is_frozen_somewhere() -> None:
    assert [
        path for path in tracked() if path.startswith("tests/surface/cli/") and "golden" in path
    ]


def test_an_entry_that_is_not_there_and_a_folder_that_is_not_told_are_found() -> None:
    readme = "```\nsrc/gigawatt/\n  cli/   the terminal\n  gone/  no more\nMakefile  what\n```\n"
    assert tree_entries(readme) == [
        "src/gigawatt",
        "src/gigawatt/cli",
        "src/gigawatt/gone",
        "Makefile",
    ]
    files = ("Makefile", "src/gigawatt/cli/app.py", "src/gigawatt/new/x.py", "extra/y.py")
    assert untrue_tree(tree_entries(readme), files) == [
        "src/gigawatt/gone is in the tree and not there",
        "extra is there and not in the tree",
        "src/gigawatt/new is there and not in the tree",
    ]


def test_a_dead_link_is_found_and_one_inside_code_is_not_one() -> None:
    text = "[a](b.md) [c](../x/y.md#z) [d](https://example.org) `[e](f)`\n```\n[g](h)\n```\n"
    assert dead_links("docs/a.md", text, ("docs/b.md",)) == ["docs/a.md: ../x/y.md"]


def test_an_unlisted_page_is_found() -> None:
    pages = ("docs/decisions/README.md", "docs/decisions/0001-a.md", "docs/decisions/0002-b.md")
    assert unlisted_pages(pages[0], "[one](0001-a.md)", pages) == [
        "docs/decisions/README.md does not list docs/decisions/0002-b.md"
    ]


def test_a_fragment_without_a_kind_is_found() -> None:
    assert bad_fragments("changes/12.improvement.md") != []
    assert bad_fragments("changes/README.md") == []


def test_a_dependency_that_no_page_mentions_is_found() -> None:
    page = "| numpy | arrays |\n| FastAPI | the API |\n"
    assert unaccounted(["numpy>=2", "fastapi>=0.1", "left-pad[x]>=1; os"], page) == ["left-pad"]


def tree_entries(text: str) -> list[str]:
    """Paths of the last fenced block whose first line is a folder, indentation as nesting."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    blocks = [block for kind, block in fenced if not kind and block.split("\n")[0].endswith("/")]
    entries: list[str] = []
    parents: list[tuple[int, str]] = []
    for line in blocks[-1].splitlines():
        indent = len(line) - len(line.lstrip())
        parents = [(depth, path) for depth, path in parents if depth < indent]
        name = line.split()[0].rstrip("/")
        path = f"{parents[-1][1]}/{name}" if parents else name
        parents.append((indent, path))
        entries.append(path)
    return entries


def untrue_tree(entries: list[str], files: tuple[str, ...]) -> list[str]:
    there = {str(parent) for file in files for parent in PurePosixPath(file).parents} | set(files)
    gone = [f"{entry} is in the tree and not there" for entry in entries if entry not in there]
    top = {file.split("/")[0] for file in files} - UNLISTED - UNLISTED_PAGES
    listed_top = {entry.split("/")[0] for entry in entries}
    packages = {
        "/".join(file.split("/")[:3])
        for file in files
        if file.startswith("src/gigawatt/") and not file.endswith(("/__init__.py", "py.typed"))
    }
    untold = sorted(top - listed_top) + sorted(packages - set(entries))
    return gone + [f"{path} is there and not in the tree" for path in untold]


def dead_links(path: str, text: str, files: tuple[str, ...]) -> list[str]:
    there = {str(parent) for file in files for parent in PurePosixPath(file).parents} | set(files)
    targets = [target for target in LINK.findall(CODE.sub("", text)) if "://" not in target]
    return [f"{path}: {target}" for target in targets if _joined(path, target) not in there]


def unlisted_pages(index: str, text: str, files: tuple[str, ...]) -> list[str]:
    """Pages beside and below an index that it does not link, those of a deeper index apart."""
    folder = index.removesuffix("README.md")
    linked = {_joined(index, target) for target in LINK.findall(text)}
    deeper = [
        file.removesuffix("README.md")
        for file in files
        if file.startswith(folder) and file.endswith("/README.md") and file != index
    ]
    pages = [
        file
        for file in files
        if file.startswith(folder)
        and file.endswith(".md")
        and file != index
        and not (file.startswith(tuple(deeper)) and not file.endswith("README.md"))
    ]
    return [f"{index} does not list {page}" for page in pages if page not in linked]


def bad_fragments(path: str) -> list[str]:
    name = path.removeprefix("changes/")
    if name == "README.md":
        return []
    if not FRAGMENT.fullmatch(name):
        return [f"{path} should be named <issue or +word>.<kind>.md"]
    return [] if (ROOT / path).read_text().strip() else [f"{path} is empty"]


def unaccounted(requirements: list[str], page: str) -> list[str]:
    """Names of requirements that the page does not have as words."""
    names = [re.split(r"[^A-Za-z0-9-]", requirement)[0] for requirement in requirements]
    return [name for name in names if not re.search(rf"(?i)(?<![\w-]){name}(?![\w-])", page)]


def _joined(page: str, target: str) -> str:
    """The path that a relative link on a page leads to."""
    parts: list[str] = list(PurePosixPath(page).parent.parts)
    for part in PurePosixPath(target).parts:
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
