// <gw-fleet-map>: every GPU of a site in one canvas that can be moved and zoomed. One texel of a picture kept in memory is
// one GPU, so moving and zooming is drawing a picture; names, outlines and grid lines come on top where there is room.
//
//   data        where the API has the fleet, e.g. /v1/fleet
//   nodes, jobs where pages of nodes and jobs are; an id is put behind
//   what        a node or gang to show first
"use strict";

(() => {
  const { LEVELS, RACK, RAMP, HEAD, MODES, Geometry, State, parse, paint, watts } = window.gwFleet;
  const TITLES = { site: "Site", hall: "Hall", spine: "Spine", leaf: "Leaf", rack: "Rack" };
  const LOOK_MS = 3_000, LOOK_MS_MAX = 30_000;
  const SCALE_MAX = 40, LARGEST = 34; // pixels of a texel: of the closest view, and where all is in view
  const GRID_FROM = 7; // pixels of a texel from which on GPUs are told apart by lines
  const RACKS_DRAWN_MAX = 2_500;
  const STEP = 90, STEP_FAR = 320, ZOOM = 1.5;
  const POINT_MS = 120;
  const FRAMES = 1024;
  const KEY_TITLES = {
    idle: "idle", other: "others", starting: "starting", running: "running", serving: "serving", workspace: "workspace",
    stopping: "stopping", cordoned: "cordoned", draining: "draining", checking: "joining or checked", repair: "in repair",
    down: "down", unusable: "takes no gangs", rest: "smaller projects", well: "checks are well", unchecked: "not checked",
    warn: "a check warns", suspect: "failures laid to it", fail: "a check fails", unreported: "not reported",
  };

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "class") element.className = value;
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter((each) => each !== null && each !== undefined));
    return element;
  }

  const number = (value) => value.toLocaleString("en");

  class FleetMap extends HTMLElement {
    connectedCallback() {
      if (this.canvas) return;
      this.mode = "phase";
      this.only = -1;
      this.lit = null;
      this.lights = null;
      this.view = { scale: 1, x: 0, y: 0 };
      this.pointers = new Map();
      this.times = new Float32Array(FRAMES);
      this.frames = 0;
      this.build();
      this.listen();
      this.begin();
    }

    disconnectedCallback() {
      clearTimeout(this.timer);
      this.sizes?.disconnect();
      this.themes?.disconnect();
    }

    // The page around the canvas.

    build() {
      this.modes = make("div", { class: "fm-modes", role: "group", "aria-label": "Colour by" });
      this.search = make("input", { type: "search", name: "what", placeholder: "Node, job or gang", "aria-label": "Find a node, a job or a gang", autocomplete: "off" });
      this.form = make("form", { class: "fm-find", role: "search", "aria-label": "On the map" }, this.search, make("button", {}, "Find"));
      const zoom = (title, sign, run) => {
        const button = make("button", { type: "button", class: "fm-zoom", "aria-label": title, title }, sign);
        button.addEventListener("click", run);
        return button;
      };
      const zooms = make("div", { class: "fm-zooms" },
        zoom("Zoom in", "+", () => this.zoom(ZOOM)),
        zoom("Zoom out", "−", () => this.zoom(1 / ZOOM)),
        zoom("Show all", "⤢", () => this.fit()));
      this.canvas = make("canvas", {
        tabindex: "0", role: "application", "aria-roledescription": "map",
        "aria-label": "Map of the fleet. Arrows move it, plus and minus zoom, 0 shows all, Enter opens what is in the middle, Escape lets go. The table below has the same in words.",
      });
      this.tip = make("div", { class: "fm-tip", hidden: true });
      this.inspector = make("section", { class: "fm-inspector", "aria-label": "What is chosen", hidden: true });
      this.crumbs = make("div", { class: "fm-crumbs", "aria-hidden": "true" });
      this.stage = make("div", { class: "fm-stage" }, this.canvas, zooms, this.crumbs, this.tip, this.inspector);
      this.legend = make("div", { class: "fm-legend" });
      this.said = make("p", { class: "hidden", role: "status", "aria-live": "polite" });
      this.palette = make("div", { class: "fm-palette", "aria-hidden": "true" });
      this.replaceChildren(make("div", { class: "fm-bar" }, this.modes, this.form), this.stage, this.legend, this.said, this.palette);
      this.context = this.canvas.getContext("2d", { alpha: false });
      this.picture = document.createElement("canvas");
    }

    listen() {
      const { canvas } = this;
      canvas.addEventListener("pointerdown", (event) => this.down(event));
      canvas.addEventListener("pointermove", (event) => this.move(event));
      for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.up(event));
      canvas.addEventListener("pointerleave", () => this.point(null));
      canvas.addEventListener("wheel", (event) => {
        event.preventDefault();
        const by = event.deltaMode === 1 ? 16 : 1;
        this.zoom(Math.exp(-event.deltaY * by * (event.ctrlKey ? 0.01 : 0.0022)), event.offsetX, event.offsetY);
      }, { passive: false });
      canvas.addEventListener("keydown", (event) => this.key(event));
      for (const name of ["focus", "blur"]) canvas.addEventListener(name, () => this.redraw());
      this.form.addEventListener("submit", (event) => { event.preventDefault(); this.find(this.search.value.trim()); });
      this.sizes = new ResizeObserver(() => this.resize());
      this.sizes.observe(this.stage);
      const repaint = () => { this.colours = null; this.recolour(); };
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
      this.themes = new MutationObserver(repaint);
      this.themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    }

    // Data.

    async begin() {
      try {
        await this.readLayout();
        await this.readState();
      } catch (error) {
        this.fail(error);
        return;
      }
      this.setAttribute("ready", "");
      performance.mark("gw-fleet-ready");
      const what = this.getAttribute("what");
      if (what) await this.find(what);
      this.later();
    }

    async fetched(path, known) {
      const headers = known ? { "If-None-Match": known } : {};
      const reply = await fetch(`${this.getAttribute("data")}${path}`, { headers, cache: "no-store" });
      if (reply.status === 304) return null;
      if (!reply.ok) {
        const told = await reply.json().catch(() => ({}));
        throw new Error(told.detail || `the map could not be read (${reply.status})`);
      }
      return reply;
    }

    async readLayout() {
      const reply = await this.fetched("/layout");
      this.version = (reply.headers.get("etag") || "").replace(/^W\/|"|-gzip/g, "");
      this.geometry = new Geometry(parse(await reply.arrayBuffer()));
      this.lit = this.lights = null;
      const { width, height } = this.geometry;
      this.picture.width = width;
      this.picture.height = height;
      this.image = this.picture.getContext("2d").createImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
      this.halves = [];
      this.resize();
      this.fit();
    }

    async readState() {
      const reply = await this.fetched("/state", this.tag);
      if (reply === null) return;
      const file = parse(await reply.arrayBuffer());
      if (file.header.layout !== this.version) {
        this.tag = "";
        await this.readLayout();
        if (file.header.layout !== this.version) return; // nodes come and go right now; the next look has both
      }
      this.tag = reply.headers.get("etag") || "";
      this.state = new State(file, this.geometry);
      this.offer();
      this.recolour();
    }

    later() {
      clearTimeout(this.timer);
      const wait = Math.min(LOOK_MS_MAX, Math.max(LOOK_MS, 20 * (this.cost || 0)));
      this.timer = setTimeout(async () => {
        if (!document.hidden) {
          const began = performance.now();
          try { await this.readState(); this.removeAttribute("stale"); } catch { this.setAttribute("stale", ""); }
          this.cost = performance.now() - began;
        }
        if (this.isConnected) this.later();
      }, wait);
    }

    fail(error) {
      this.stage.replaceChildren(make("p", { class: "fault", role: "alert" }, `${error.message}. The table below works without the map.`));
    }

    // Colours.

    offer() {
      const names = Object.keys(MODES).filter((name) => !MODES[name].needs || this.state.arrays[MODES[name].needs]);
      if (!names.includes(this.mode)) this.mode = "phase";
      if (this.modes.dataset.names === names.join()) return;
      this.modes.dataset.names = names.join();
      this.modes.replaceChildren(...names.map((name) => {
        const button = make("button", { type: "button", "aria-pressed": String(name === this.mode) }, MODES[name].title);
        button.addEventListener("click", () => {
          this.mode = name;
          this.only = -1;
          for (const each of this.modes.children) each.setAttribute("aria-pressed", String(each === button));
          this.colours = null;
          this.recolour();
        });
        return button;
      }));
    }

    // The colours of this mode's keys as texels, by what the stylesheet says.
    mix() {
      const keys = MODES[this.mode].keys(this.state);
      const plain = ["ground", "paper", "line", "ink", "ink-2", "light", "focus"];
      const stops = ["ramp", "warm"].flatMap((name) => [0, 1, 2, 3].map((i) => `${name}-stop-${i}`));
      this.palette.replaceChildren(...[...keys, ...plain, ...stops].map((key) => make("i", { class: `fm-c-${key}` })));
      const read = (key, i) => colourOf(this.palette.children[i]);
      const found = new Map([...keys, ...plain, ...stops].map((key, i) => [key, read(key, i)]));
      for (const name of ["ramp", "warm"]) {
        for (let i = 0; i < RAMP; i++) {
          const place = (3 * i) / (RAMP - 1), low = Math.min(2, Math.floor(place));
          found.set(`${name}-${i}`, between(found.get(`${name}-stop-${low}`), found.get(`${name}-stop-${low + 1}`), place - low));
        }
      }
      const ground = found.get("paper");
      this.keys = keys;
      this.css = Object.fromEntries(plain.map((key) => [key, `rgb(${found.get(key).join(" ")})`]));
      this.rgb = keys.map((key) => found.get(key));
      this.colours = Uint32Array.from(this.rgb.map(texel));
      this.dimmed = Uint32Array.from(this.rgb.map((rgb) => texel(between(ground, rgb, 0.16))));
    }

    recolour() {
      if (!this.state || !this.geometry) return;
      if (!this.colours || this.keys.length !== MODES[this.mode].keys(this.state).length) this.mix();
      this.counts = paint(this.pixels, this.geometry, this.state, this.mode, this.colours, this.dimmed, this.lit, this.only);
      this.picture.getContext("2d").putImageData(this.image, 0, 0);
      this.halve();
      this.tell();
      this.redraw();
    }

    // Smaller pictures for when a texel is less than a pixel: each half of the one before.
    halve() {
      let from = this.picture;
      for (let i = 0; from.width > 600 && i < 6; i++) {
        const half = this.halves[i] || (this.halves[i] = document.createElement("canvas"));
        const width = Math.ceil(from.width / 2), height = Math.ceil(from.height / 2);
        if (half.width !== width || half.height !== height) { half.width = width; half.height = height; }
        const context = half.getContext("2d");
        context.clearRect(0, 0, width, height);
        context.imageSmoothingEnabled = true;
        context.drawImage(from, 0, 0, width, height);
        from = half;
      }
    }

    // The legend: what colours mean, and of how many GPUs that is so. A key that is chosen is the only one lit.
    tell() {
      const mode = MODES[this.mode];
      if (mode.scale) {
        const [low, what, high] = mode.scale(this.state);
        const bar = make("canvas", { width: String(RAMP), height: "1", class: "fm-ramp", "aria-hidden": "true" });
        const context = bar.getContext("2d");
        const name = mode.needs === "heat" ? 1 : 0;
        for (let i = 0; i < RAMP; i++) { context.fillStyle = `rgb(${this.rgb[i + name].join(" ")})`; context.fillRect(i, 0, 1, 1); }
        this.legend.replaceChildren(make("span", {}, low), bar, make("span", {}, high), make("span", { class: "hint" }, what));
        return;
      }
      const total = this.counts.reduce((sum, each) => sum + each, 0) || 1;
      const buttons = this.keys.map((key, i) => {
        if (!this.counts[i] && i !== this.only) return null;
        const share = this.counts[i] / total;
        const button = make("button", { type: "button", class: "fm-key", "aria-pressed": String(this.only === i), title: "Show only these" },
          make("i", { class: `fm-c-${key}` }), this.titleOf(key), make("b", {}, number(this.counts[i])),
          make("span", { class: "hint" }, share >= 0.0995 ? `${Math.round(share * 100)} %` : `${(share * 100).toFixed(1)} %`));
        button.addEventListener("click", () => {
          this.only = this.only === i ? -1 : i;
          this.recolour();
          this.legend.querySelectorAll("button")[buttons.filter(Boolean).indexOf(button)]?.focus();
        });
        return button;
      });
      this.legend.replaceChildren(...buttons.filter(Boolean));
    }

    titleOf(key) {
      if (key.startsWith("owner-")) {
        const owner = this.state.owned[Number(key.slice(6))];
        return owner ? this.state.header.owners[owner[0]] : "";
      }
      return KEY_TITLES[key] || key;
    }

    // The view: `scale` pixels a texel, `x` and `y` the texel at the top left.

    resize() {
      const { clientWidth: width, clientHeight: height } = this.stage;
      if (!width || !height) return;
      const ratio = Math.min(devicePixelRatio || 1, 2);
      const fitted = this.geometry && Math.abs(this.view.scale - this.least) < 1e-6;
      this.ratio = ratio;
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.width = width;
      this.height = height;
      if (fitted) this.fit(); else this.settle();
    }

    get least() {
      return Math.min(this.width / this.geometry.width, this.height / this.geometry.height, LARGEST);
    }

    fit() {
      if (!this.geometry || !this.width) return;
      const scale = this.least;
      this.view = {
        scale,
        x: (this.geometry.width - this.width / scale) / 2,
        y: (this.geometry.height - this.height / scale) / 2,
      };
      this.settle();
    }

    zoom(by, x = this.width / 2, y = this.height / 2) {
      if (!this.geometry) return;
      const { view } = this;
      const scale = Math.max(this.least, Math.min(SCALE_MAX, view.scale * by));
      view.x += x / view.scale - x / scale;
      view.y += y / view.scale - y / scale;
      view.scale = scale;
      this.settle();
    }

    pan(dx, dy) {
      this.view.x -= dx / this.view.scale;
      this.view.y -= dy / this.view.scale;
      this.settle();
    }

    // The middle of the view stays on the fleet.
    settle() {
      if (!this.geometry || !this.width) return;
      const { view, geometry } = this;
      for (const [axis, size, whole] of [["x", this.width, geometry.width], ["y", this.height, geometry.height]]) {
        const shown = size / view.scale;
        if (view.scale <= this.least * 1.001) view[axis] = (whole - shown) / 2;
        else view[axis] = Math.max(-shown / 2, Math.min(whole - shown / 2, view[axis]));
      }
      this.redraw();
    }

    // Some rows as large as there is room for, with some of what is around them.
    approach(rows) {
      const { x, y, across, down } = this.geometry;
      let left = Infinity, top = Infinity, right = 0, bottom = 0;
      for (const row of rows) {
        left = Math.min(left, x[row]); right = Math.max(right, x[row] + across[row]);
        top = Math.min(top, y[row]); bottom = Math.max(bottom, y[row] + down[row]);
      }
      const scale = Math.max(this.least, Math.min(14, this.width / (right - left + 14) , this.height / (bottom - top + 14)));
      this.view = { scale, x: (left + right - this.width / scale) / 2, y: (top + bottom - this.height / scale) / 2 };
      this.settle();
    }

    // What a person does.

    down(event) {
      this.canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
      this.moved = this.pointers.size > 1;
      this.point(null);
    }

    move(event) {
      const known = this.pointers.get(event.pointerId);
      if (!known) { this.point(event); return; }
      const dx = event.offsetX - known.x, dy = event.offsetY - known.y;
      if (!this.moved && Math.hypot(dx, dy) < 4) return;
      this.moved = true;
      if (this.pointers.size === 2) {
        const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
        const before = Math.hypot(known.x - other.x, known.y - other.y) || 1;
        const now = Math.hypot(event.offsetX - other.x, event.offsetY - other.y);
        this.zoom(now / before, (event.offsetX + other.x) / 2, (event.offsetY + other.y) / 2);
        this.pan(dx / 2, dy / 2);
      } else {
        this.pan(dx, dy);
      }
      known.x = event.offsetX;
      known.y = event.offsetY;
    }

    up(event) {
      const was = this.pointers.delete(event.pointerId);
      if (was && !this.moved && event.type === "pointerup") this.pick(event.offsetX, event.offsetY);
    }

    key(event) {
      const far = event.shiftKey ? STEP_FAR : STEP;
      const runs = {
        ArrowLeft: () => this.pan(far, 0), ArrowRight: () => this.pan(-far, 0),
        ArrowUp: () => this.pan(0, far), ArrowDown: () => this.pan(0, -far),
        "+": () => this.zoom(ZOOM), "=": () => this.zoom(ZOOM), "-": () => this.zoom(1 / ZOOM), _: () => this.zoom(1 / ZOOM),
        0: () => this.fit(), Home: () => this.fit(),
        Enter: () => this.pick(this.width / 2, this.height / 2),
        Escape: () => this.release(),
      };
      if (!runs[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      runs[event.key]();
      clearTimeout(this.speaks);
      this.speaks = setTimeout(() => this.speak(), 300);
    }

    speak() {
      const found = this.under(this.width / 2, this.height / 2);
      this.said.textContent = found ? this.line(found) : `${number(this.geometry.count)} nodes, nothing in the middle`;
    }

    under(x, y) {
      const { view } = this;
      return this.geometry && this.state ? this.geometry.find(view.x + x / view.scale, view.y + y / view.scale) : null;
    }

    // One node in a line, by what is here already.
    line({ row, device }) {
      const { header, arrays } = this.state;
      const code = device >= 0 ? this.state.gangOf(row, device) : arrays.gang[row];
      const place = this.geometry.path(row).map(([level, name]) => `${TITLES[level].toLowerCase()} ${name}`).join(", ");
      const phase = code < 2 ? (code ? "in use by others" : header.states[arrays.state[row]]) : header.phases[arrays.gang_phase[code]];
      const owner = code > 1 ? `, ${header.owners[arrays.gang_owner[code]]}` : "";
      return `${place}: ${phase}${owner}, ${Math.round(arrays.used[row] / 2.55)} % in use`;
    }

    // The tooltip: at once what is known here, and after a moment what the server says.
    point(event) {
      clearTimeout(this.pointing);
      const found = event && this.under(event.offsetX, event.offsetY);
      this.hovered = found ? found.row : -1;
      this.canvas.classList.toggle("on-node", Boolean(found));
      if (!found) { this.tip.hidden = true; return; }
      this.showTip([make("span", {}, this.line(found))], event);
      const { offsetX, offsetY } = event;
      this.pointing = setTimeout(async () => {
        const spot = await this.spot(found.row);
        if (spot && this.hovered === found.row) this.showTip(tipOf(spot, found.device), { offsetX, offsetY });
      }, POINT_MS);
    }

    showTip(content, { offsetX, offsetY }) {
      this.tip.replaceChildren(...content);
      this.tip.hidden = false;
      const { offsetWidth: width, offsetHeight: height } = this.tip;
      this.tip.style.left = `${Math.max(4, Math.min(offsetX + 14, this.width - width - 4))}px`;
      this.tip.style.top = `${offsetY + 18 + height > this.height ? Math.max(4, offsetY - height - 10) : offsetY + 18}px`;
    }

    async spot(row) {
      try {
        return await (await this.fetched(`/spot?row=${row}&layout=${this.version}`)).json();
      } catch {
        return null;
      }
    }

    async pick(x, y) {
      const found = this.under(x, y);
      if (!found) { this.release(); return; }
      await this.choose(found.row);
    }

    async choose(row) {
      this.chosen = row;
      this.redraw();
      const spot = await this.spot(row);
      if (spot && this.chosen === row) this.inspect(spot);
    }

    release() {
      this.chosen = undefined;
      this.inspector.hidden = true;
      if (this.lit) { this.lit = this.lights = null; this.recolour(); }
      this.redraw();
    }

    inspect(spot) {
      const close = make("button", { type: "button", class: "quiet", "aria-label": "Close" }, "×");
      close.addEventListener("click", () => { this.release(); this.canvas.focus(); });
      const facts = make("dl", { class: "facts" });
      const fact = (name, value) => value && facts.append(make("dt", {}, name), make("dd", {}, value));
      fact("Where", spot.path.join(" / "));
      fact("GPUs", spot.gpus ? `${spot.gpus} × ${spot.kind}` : "none");
      fact("State", spot.reason ? `${spot.state}: ${spot.reason}` : spot.state);
      fact("Checks", spot.check && (spot.detail ? `${spot.check}: ${spot.detail}` : spot.check));
      fact("Suspicion", spot.suspicion ? `${spot.suspicion} failures` : "");
      fact("Power", spot.watts ? watts(spot.watts) : "");
      fact("Hottest", spot.degrees ? `${spot.degrees} °C` : "");
      const gangs = make("ul", { class: "rows" }, ...spot.gangs.map((gang) => this.gangLine(gang)));
      if (spot.others) gangs.append(make("li", {}, `${spot.others} of others`));
      this.inspector.replaceChildren(
        make("header", {}, make("h2", {}, make("a", { href: `${this.getAttribute("nodes")}${encodeURIComponent(spot.id)}` }, spot.id)), close),
        facts, make("h3", {}, spot.gangs.length + spot.others ? "Runs here" : "Nothing runs here"), gangs);
      this.inspector.hidden = false;
      this.said.textContent = `${spot.id}, ${spot.state}`;
    }

    gangLine(gang) {
      const name = gang.kind === "job" ? make("a", { href: `${this.getAttribute("jobs")}${encodeURIComponent(gang.id)}` }, gang.name) : gang.name;
      const show = make("button", { type: "button" }, "On the map");
      show.addEventListener("click", () => this.find(gang.id));
      return make("li", {}, make("div", { class: "grow" }, name,
        make("span", { class: "hint" }, ` ${gang.kind}, ${gang.project}, ${gang.phase}, ${number(gang.nodes)} node${gang.nodes === 1 ? "" : "s"}`)), show);
    }

    // Light what a name stands for, and go there.
    async find(what) {
      if (!what) { this.release(); return; }
      let places;
      try {
        places = await (await this.fetched(`/places?what=${encodeURIComponent(what)}`)).json();
      } catch (error) {
        this.said.textContent = error.message;
        this.search.setCustomValidity(error.message);
        this.search.reportValidity();
        this.search.addEventListener("input", () => this.search.setCustomValidity(""), { once: true });
        return;
      }
      if (places.layout !== this.version) await this.readLayout();
      this.light(places);
    }

    light(places) {
      if (!places.rows.length) return;
      if (places.kind === "gang") {
        this.lit = new Uint8Array(this.geometry.count);
        for (const row of places.rows) this.lit[row] = 1;
        this.lights = [1, 2, 3, RACK].map((level) => [level, [...new Set(places.rows.map((row) => this.geometry.domain(level, row)))]]);
        const parts = [["rack", places.racks], ["leaf", places.leaves], ["spine", places.spines]].map(([name, count]) => `${number(count)} ${count === 1 ? name : name === "leaf" ? "leaves" : `${name}s`}`);
        this.inspectGang(places, parts);
        this.recolour();
      }
      this.approach(places.rows);
      if (places.kind === "node") this.choose(places.rows[0]);
    }

    inspectGang(places, parts) {
      const close = make("button", { type: "button", class: "quiet", "aria-label": "Close" }, "×");
      close.addEventListener("click", () => { this.release(); this.canvas.focus(); });
      const back = make("button", { type: "button" }, "Show all of it");
      back.addEventListener("click", () => this.approach(places.rows));
      this.chosen = undefined;
      this.inspector.replaceChildren(make("header", {}, make("h2", {}, places.name), close),
        make("p", {}, `${number(places.rows.length)} node${places.rows.length === 1 ? "" : "s"} in ${parts.join(", ")}.`), back);
      this.inspector.hidden = false;
      this.said.textContent = `${places.name} is on ${places.rows.length} nodes in ${parts.join(", ")}`;
    }

    // Drawing.

    redraw() {
      if (this.due) return;
      this.due = true;
      requestAnimationFrame(() => {
        this.due = false;
        const began = performance.now();
        this.draw();
        this.times[this.frames++ % FRAMES] = performance.now() - began;
      });
    }

    draw() {
      const { context, view, geometry, ratio } = this;
      if (!geometry || !this.css || !this.width) return;
      const scale = view.scale * ratio;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.fillStyle = this.css.ground;
      context.fillRect(0, 0, this.canvas.width, this.canvas.height);
      this.drawGrounds(scale);
      this.drawPicture(scale);
      if (view.scale >= GRID_FROM) this.drawGrid(scale);
      this.drawNames(scale);
      this.drawLights(scale);
      this.drawChosen(scale);
      this.drawCrumbs();
    }

    drawPicture(scale) {
      const { context, view, geometry } = this;
      let from = this.picture, shrunk = 1;
      for (let i = 0; i < this.halves.length && scale * shrunk < 0.75; i++) { from = this.halves[i]; shrunk *= 2; }
      const left = Math.max(0, Math.floor(view.x)), top = Math.max(0, Math.floor(view.y));
      const right = Math.min(geometry.width, Math.ceil(view.x + this.width / view.scale));
      const bottom = Math.min(geometry.height, Math.ceil(view.y + this.height / view.scale));
      if (right <= left || bottom <= top) return;
      context.imageSmoothingEnabled = scale * shrunk < 2;
      context.drawImage(from, left / shrunk, top / shrunk, (right - left) / shrunk, (bottom - top) / shrunk,
        (left - view.x) * scale, (top - view.y) * scale, (right - left) * scale, (bottom - top) * scale);
    }

    // Domains of a level that are in view, with their places in device pixels.
    *visible(level, scale) {
      const { view, geometry } = this;
      const boxes = geometry.boxes[level];
      const right = view.x + this.width / view.scale, bottom = view.y + this.height / view.scale;
      for (let i = 0; i < geometry.starts[level].length; i++) {
        const b = 4 * i, x = boxes[b], y = boxes[b + 1], w = boxes[b + 2], h = boxes[b + 3];
        if (x > right || y > bottom || x + w < view.x || y + h < view.y) continue;
        yield [i, (x - view.x) * scale, (y - view.y) * scale, w * scale, h * scale];
      }
    }

    drawGrounds(scale) {
      const { context, ratio } = this;
      for (const level of [1, 3]) {
        if (!this.geometry.shown[level]) continue;
        if (level === 3 && scale < 1.5) continue;
        const pad = (level === 1 ? 4 : 1) * scale;
        context.fillStyle = level === 1 ? this.css.paper : this.css.ground;
        context.strokeStyle = this.css.line;
        context.lineWidth = ratio;
        context.beginPath();
        for (const [, x, y, w, h] of this.visible(level, scale)) {
          if (w < 4) continue;
          context.roundRect(x - pad, y - pad, w + 2 * pad, h + 2 * pad, Math.min(8 * ratio, 4 * scale));
        }
        context.fill();
        context.stroke();
      }
    }

    // Lines between GPUs, and thicker ones between nodes.
    drawGrid(scale) {
      const { context, view, geometry } = this;
      const thin = new Path2D(), thick = new Path2D();
      let racks = 0;
      for (const [rack] of this.visible(RACK, scale)) {
        if (++racks > RACKS_DRAWN_MAX) break;
        const [first, end] = geometry.rows(RACK, rack);
        for (let row = first; row < end; row++) {
          const x = (geometry.x[row] - view.x) * scale, y = (geometry.y[row] - view.y) * scale;
          const w = geometry.across[row] * scale, h = geometry.down[row] * scale;
          if (x > this.canvas.width || y > this.canvas.height || x + w < 0 || y + h < 0) continue;
          for (let i = 1; i < geometry.across[row] && geometry.gpus[row]; i++) { thin.moveTo(x + i * scale, y); thin.lineTo(x + i * scale, y + h); }
          for (let i = 1; i < geometry.down[row]; i++) { thin.moveTo(x, y + i * scale); thin.lineTo(x + w, y + i * scale); }
          thick.rect(x, y, w, h);
        }
      }
      context.strokeStyle = this.css.ground;
      context.lineWidth = Math.max(1, scale * 0.09);
      context.stroke(thin);
      context.lineWidth = Math.max(1, scale * 0.2);
      context.stroke(thick);
    }

    drawNames(scale) {
      const { context, geometry, ratio } = this;
      const size = 11 * ratio;
      context.textBaseline = "bottom";
      for (const level of [1, 3, RACK]) {
        if (!geometry.shown[level]) continue;
        const head = HEAD[level] * scale;
        const large = level === 1 && scale >= 0.25;
        if (head < size * 1.1 && !large) continue;
        const font = level === 1 ? Math.min(15 * ratio, Math.max(size, head * 0.6)) : Math.max(size, Math.min((level === 3 ? 15 : 13) * ratio, head * 0.6));
        context.font = `${level === 1 ? 650 : 500} ${font}px system-ui, sans-serif`;
        context.fillStyle = level === 1 ? this.css.ink : this.css["ink-2"];
        let drawn = 0;
        for (const [i, x, y, w] of this.visible(level, scale)) {
          if (w < 30 * ratio || ++drawn > 600) continue;
          const text = this.nameIn(geometry.names[level][i], level, w);
          if (text) context.fillText(text, x, y + Math.max(head * 0.86, font * 1.05));
        }
      }
    }

    nameIn(name, level, width) {
      const { context } = this;
      for (const text of [`${TITLES[LEVELS[level]]} ${name}`, name]) {
        if (name && context.measureText(text).width <= width) return text;
      }
      return "";
    }

    // Where a gang is: its racks, and the rows, spines and halls whose switches it needs.
    drawLights(scale) {
      if (!this.lights) return;
      const { context, ratio } = this;
      context.strokeStyle = this.css.light;
      for (const [level, domains] of this.lights) {
        if (!this.geometry.shown[level]) continue;
        const wanted = new Set(domains);
        if (level === RACK && scale * 5 < 5) continue;
        const pad = ({ 1: 4, 2: 2.4, 3: 1.2, 4: 0.4 })[level] * scale;
        context.lineWidth = ({ 1: 2.5, 2: 2, 3: 1.5, 4: 1.5 })[level] * ratio;
        context.setLineDash(level === RACK ? [] : level === 3 ? [4 * ratio, 3 * ratio] : [9 * ratio, 5 * ratio]);
        context.beginPath();
        for (const [i, x, y, w, h] of this.visible(level, scale)) {
          if (wanted.has(i)) context.roundRect(x - pad, y - pad, w + 2 * pad, h + 2 * pad, 3 * ratio);
        }
        context.stroke();
      }
      context.setLineDash([]);
    }

    drawChosen(scale) {
      const { context, view, geometry, ratio } = this;
      if (this.chosen !== undefined && this.chosen < geometry.count) {
        const row = this.chosen;
        const x = (geometry.x[row] - view.x) * scale, y = (geometry.y[row] - view.y) * scale;
        context.strokeStyle = this.css.light;
        context.lineWidth = 2.5 * ratio;
        context.strokeRect(x - 2 * ratio, y - 2 * ratio, geometry.across[row] * scale + 4 * ratio, geometry.down[row] * scale + 4 * ratio);
      }
      if (document.activeElement === this.canvas && this.canvas.matches(":focus-visible")) {
        const x = this.canvas.width / 2, y = this.canvas.height / 2, arm = 9 * ratio;
        context.strokeStyle = this.css.focus;
        context.lineWidth = 2 * ratio;
        context.beginPath();
        context.moveTo(x - arm, y); context.lineTo(x + arm, y);
        context.moveTo(x, y - arm); context.lineTo(x, y + arm);
        context.stroke();
      }
    }

    // Which part is in the middle, once one no longer sees all.
    drawCrumbs() {
      const { view, geometry } = this;
      let text = "";
      if (view.scale > this.least * 1.4) {
        const x = view.x + this.width / view.scale / 2, y = view.y + this.height / view.scale / 2;
        const parts = [];
        let low = 0, high = geometry.starts[0].length;
        for (let level = 0; level <= RACK; level++) {
          const index = geometry.at(level, x, y, low, high);
          if (index < 0) break;
          if (geometry.names[level][index] && (level || high > 1)) parts.push(`${TITLES[LEVELS[level]]} ${geometry.names[level][index]}`);
          if (level < RACK) [low, high] = geometry.children(level, index);
        }
        text = parts.join(" / ");
      }
      if (this.crumbs.textContent !== text) this.crumbs.textContent = text;
    }
  }

  function tipOf(spot, device) {
    const lines = [make("b", {}, spot.id), make("span", { class: "hint" }, spot.path.join(" / "))];
    const gang = spot.gangs.find((each) => each.devices.includes(device)) || (device < 0 ? spot.gangs[0] : undefined);
    if (gang) lines.push(make("span", {}, `${gang.name} · ${gang.project} · ${gang.phase} on ${number(gang.nodes)} node${gang.nodes === 1 ? "" : "s"}`));
    else lines.push(make("span", {}, spot.others && !spot.gangs.length ? "in use by others" : spot.state));
    if (spot.check === "warn" || spot.check === "fail") lines.push(make("span", {}, `check ${spot.check}: ${spot.detail}`));
    const figures = [spot.watts ? watts(spot.watts) : "", spot.degrees ? `${spot.degrees} °C` : ""].filter(Boolean);
    if (figures.length) lines.push(make("span", { class: "hint" }, figures.join(" · ")));
    return lines;
  }

  // Three numbers of a computed colour, whatever notation it has.
  function colourOf(element) {
    const text = getComputedStyle(element).backgroundColor;
    const numbers = (text.match(/[\d.]+/g) || []).map(Number);
    const unit = text.startsWith("color(") ? 255 : 1;
    return numbers.slice(0, 3).map((each) => Math.round(each * unit));
  }

  function between(from, to, part) {
    return from.map((each, i) => Math.round(each + (to[i] - each) * part));
  }

  function texel([red, green, blue]) {
    return (255 << 24 | blue << 16 | green << 8 | red) >>> 0;
  }

  customElements.define("gw-fleet-map", FleetMap);
})();
