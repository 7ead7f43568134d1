"""A lineage graph as SVG: what went in stands left of what came of it. Every box is a link where there is a page."""

from collections.abc import Mapping
from urllib.parse import quote

from markupsafe import Markup

from gigawatt.console.navigation import url
from gigawatt.service.views.model import LineageGraphView, LineageNodeView

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y = 190, 46, 56, 16
LABEL_CHARS = 26
PAGES = {"job": "jobs", "endpoint": "endpoints", "environment": "environments", "model": "models"}


def graph_svg(graph: LineageGraphView) -> Markup:
    """The whole graph. Empty for one without nodes."""
    if not graph.nodes:
        return Markup("")
    places = _places(graph)
    boxes = [_box(each, places[each.id], root=each.id == graph.root) for each in graph.nodes]
    lines = [
        _line(places[edge.source], places[edge.target], edge.relation)
        for edge in graph.edges
        if edge.source in places and edge.target in places
    ]
    width = max(x for x, _ in places.values()) + BOX_WIDTH + 2
    height = max(y for _, y in places.values()) + BOX_HEIGHT + 2
    return Markup(
        '<svg class="lineage" viewBox="-1 -1 {w} {h}" width="{w}" height="{h}" role="group" '
        'aria-label="What this version was made from, and what serves it">{lines}{boxes}</svg>'
    ).format(w=width, h=height, lines=Markup("").join(lines), boxes=Markup("").join(boxes))


def path_of(node: LineageNodeView) -> str:
    """The page of what a box stands for; empty where it has none."""
    what = node.id.partition(":")[2] or node.id
    named = what.partition(":")[0] if node.kind == "model" else what
    page = PAGES.get(node.kind)
    return url(f"/{page}/{quote(named, safe='')}") if page and named != "host" else ""


def _places(graph: LineageGraphView) -> Mapping[str, tuple[int, int]]:
    """Left upper corners by id: a column further right than everything that went in, in the order given."""
    depth = {node.id: 0 for node in graph.nodes}
    for _ in graph.nodes:  # as many rounds as the longest way has steps, at most
        moved = False
        for edge in graph.edges:
            least = depth.get(edge.source, 0) + 1
            if depth.get(edge.target, least) < least <= len(depth):
                depth[edge.target] = least
                moved = True
        if not moved:
            break
    rows: dict[int, int] = {}
    places: dict[str, tuple[int, int]] = {}
    for node in graph.nodes:
        column = depth[node.id]
        row = rows.get(column, 0)
        rows[column] = row + 1
        places[node.id] = (column * (BOX_WIDTH + GAP_X), row * (BOX_HEIGHT + GAP_Y))
    return places


def _box(node: LineageNodeView, place: tuple[int, int], *, root: bool) -> Markup:
    x, y = place
    label = node.label if len(node.label) <= LABEL_CHARS else f"{node.label[: LABEL_CHARS - 1]}…"
    body = Markup(
        '<g class="box k-{kind}{root}" transform="translate({x} {y})"><title>{kind} {whole}</title>'
        '<rect width="{w}" height="{h}" rx="7"/><text x="12" y="18" class="kind">{kind}</text>'
        '<text x="12" y="36">{label}</text></g>'
    ).format(
        kind=node.kind,
        root=" root" if root else "",
        x=x,
        y=y,
        w=BOX_WIDTH,
        h=BOX_HEIGHT,
        whole=node.label,
        label=label,
    )
    path = path_of(node)
    return Markup('<a href="{p}">{b}</a>').format(p=path, b=body) if path else body


def _line(source: tuple[int, int], target: tuple[int, int], relation: str) -> Markup:
    x1, y1 = source[0] + BOX_WIDTH, source[1] + BOX_HEIGHT // 2
    x2, y2 = target[0], target[1] + BOX_HEIGHT // 2
    middle = (x1 + x2) // 2
    return Markup(
        '<path class="edge" d="M{a},{b} C{m},{b} {m},{d} {c},{d}"><title>{r}</title></path>'
    ).format(a=x1, b=y1, m=middle, c=x2, d=y2, r=relation)
