// What pages do in the browser beside htmx: keys, theme, copying, confirming, notes. Pages work without it.
(() => {
  "use strict";

  // htmx puts the server's markup into the page, and evaluates nothing that stands in it.
  const refuse = function () { throw new Error("markup is not evaluated here"); };
  htmx.registerExtension("trusted", {
    init(api) {
      const pass = { createHTML: (text) => text };
      const policy = window.trustedTypes ? trustedTypes.createPolicy("htmx", pass) : pass;
      api.initSecurity(policy, refuse, refuse);
    },
  });

  const byId = (id) => document.getElementById(id);

  // Theme: what was chosen is in a cookie, so that the server's page has it from its first byte.
  const themed = () => document.documentElement.dataset.theme
    || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  function toggleTheme() {
    const next = themed() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    document.querySelector('meta[name="color-scheme"]').content = next;
    document.cookie = `gw-theme=${next}; path=/console; max-age=31536000; samesite=lax`;
    document.dispatchEvent(new CustomEvent("gw:theme", { detail: next }));
  }

  function toast(text, hint = "", tone = "") {
    const box = document.createElement("div");
    box.className = `toast ${tone}`;
    box.textContent = text;
    if (hint) {
      const more = document.createElement("div");
      more.className = "hint";
      more.textContent = hint;
      box.append(more);
    }
    byId("toasts").append(box);
    setTimeout(() => box.remove(), 8000);
  }
  window.gigawatt = { toast };

  document.addEventListener("click", (event) => {
    const at = event.target.closest("[data-theme-toggle],[data-help],[data-copy],[data-menu]");
    if (!at) return;
    if (at.dataset.copy !== undefined) {
      navigator.clipboard.writeText(at.dataset.copy).then(
        () => toast("Copied"),
        () => toast("The browser does not allow copying here"),
      );
    } else if (at.hasAttribute("data-help")) byId("help").showModal();
    else if (at.hasAttribute("data-menu")) {
      const open = byId("nav").classList.toggle("open");
      at.setAttribute("aria-expanded", String(open));
    } else toggleTheme();
  });

  // A click outside an open menu closes it.
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.me[open]"))
      if (!menu.contains(event.target)) menu.open = false;
  });

  // Forms that ask first.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = form.dataset.confirm;
    if (!question || form.dataset.confirmed) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const dialog = byId("confirm");
    byId("confirm-text").textContent = question;
    const button = event.submitter;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "yes") return;
      form.dataset.confirmed = "yes";
      form.requestSubmit(button);
      delete form.dataset.confirmed;
    }, { once: true });
    dialog.showModal();
  }, true);

  // Keys: none while someone types, none with a modifier.
  let leading = 0;
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (event.key === "Escape" && at === byId("q")) at.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (at.closest("input,textarea,select,[contenteditable],dialog[open]")) return;
    if (leading && event.timeStamp - leading < 1500) {
      leading = 0;
      const link = document.querySelector(`#nav a[data-key="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); link.click(); }
    } else if (event.key === "g") leading = event.timeStamp;
    else if (event.key === "/" && byId("q")) { event.preventDefault(); byId("q").select(); byId("q").focus(); }
    else if (event.key === "?" && byId("help")) { event.preventDefault(); byId("help").showModal(); }
  });

  // Selects and boxes of a filter apply at once where there is a script.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto]");
    if (form) form.requestSubmit();
  });

  // A filter leaves what is empty out of the address.
  document.addEventListener("formdata", (event) => {
    if (event.target.method !== "get") return;
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });

  // How long ago: told anew while the page stays open.
  const units = [[31536000, "y"], [86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  function ago(ms, now) {
    const away = Math.floor(Math.abs(now - ms) / 1000);
    const [size, unit] = units.find(([each]) => away >= each) || [0, ""];
    if (!size) return "now";
    const text = `${Math.floor(away / size)} ${unit}`;
    return ms <= now ? `${text} ago` : `in ${text}`;
  }
  setInterval(() => {
    if (document.hidden) return;
    const now = Date.now();
    for (const each of document.querySelectorAll("time[datetime]")) {
      const told = ago(Date.parse(each.dateTime), now);
      if (each.firstChild && each.firstChild.data !== told) each.firstChild.data = told;
    }
  }, 5000);

  // What htmx was refused, and a session that is over.
  document.addEventListener("gw:refused", (event) => toast(event.detail.detail, event.detail.hint, "bad"));
  document.addEventListener("htmx:sse:error", (event) => {
    document.body.classList.add("stale");
    if (event.detail.status === 401) location.reload();
  });
  document.addEventListener("htmx:sse:after:connection", () => document.body.classList.remove("stale"));
})();
