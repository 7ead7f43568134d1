// A log of any length: bytes are kept as they came, lines are found in them once, and only those in sight are elements.
(() => {
  "use strict";

  const ROW = 18, BEYOND = 12;
  const LINES_MAX = 1800000; // above it browsers cut the height of an element
  const BYTES_MAX = 192 * 1024 * 1024;
  const SLICE_MS = 12; // a search gives way after so long
  const decoder = new TextDecoder();

  // Pieces of lines: {bytes, starts, count}. The first ones are let go where it becomes too much.
  class Lines {
    pieces = [];
    count = 0;
    dropped = 0;
    bytes = 0;
    rest = new Uint8Array(0);

    take(chunk) {
      const whole = new Uint8Array(this.rest.length + chunk.length);
      whole.set(this.rest);
      whole.set(chunk, this.rest.length);
      const starts = [0];
      let at = whole.indexOf(10, this.rest.length);
      while (at !== -1) { starts.push(at + 1); at = whole.indexOf(10, at + 1); }
      const end = starts[starts.length - 1];
      this.rest = whole.slice(end);
      if (starts.length < 2) return;
      this.pieces.push({ bytes: whole.subarray(0, end), starts: Uint32Array.from(starts), first: this.dropped + this.count });
      this.count += starts.length - 1;
      this.bytes += end;
      while (this.pieces.length > 1 && (this.count > LINES_MAX || this.bytes > BYTES_MAX)) {
        const gone = this.pieces.shift();
        this.count -= gone.starts.length - 1;
        this.dropped += gone.starts.length - 1;
        this.bytes -= gone.bytes.length;
      }
    }

    get total() { return this.count + (this.rest.length ? 1 : 0); }

    piece(number) { // by its number from the first that came
      let low = 0, high = this.pieces.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (this.pieces[middle].first <= number) low = middle; else high = middle - 1;
      }
      return this.pieces[low];
    }

    text(index) {
      if (index >= this.count) return decoder.decode(this.rest);
      const number = index + this.dropped, piece = this.piece(number), at = number - piece.first;
      return decoder.decode(piece.bytes.subarray(piece.starts[at], piece.starts[at + 1] - 1)).replace(/\r$/, "");
    }
  }

  const SGR = /\x1b\[([0-9;]*)m|\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07/g;

  function plain(text) { return text.replace(SGR, ""); }

  // A line as [text, classes], its colours as classes.
  function coloured(text) {
    const parts = [];
    let classes = new Set(), from = 0, match;
    SGR.lastIndex = 0;
    const put = (until) => { if (until > from) parts.push([text.slice(from, until), [...classes].join(" ")]); };
    while ((match = SGR.exec(text))) {
      put(match.index);
      from = SGR.lastIndex;
      if (match[1] === undefined) continue;
      for (const code of (match[1] || "0").split(";").map(Number)) {
        if (code === 0) classes = new Set();
        else if (code === 1) classes.add("a-b");
        else if (code === 2) classes.add("a-d");
        else if (code === 3) classes.add("a-i");
        else if (code === 4) classes.add("a-u");
        else if (code === 39 || (code >= 30 && code <= 37) || (code >= 90 && code <= 97)) {
          classes = new Set([...classes].filter((each) => !/^a-[0-7]$/.test(each)));
          if (code !== 39) classes.add(`a-${code % 10}`);
        }
      }
    }
    put(text.length);
    return parts;
  }

  class LogView extends HTMLElement {
    connectedCallback() {
      if (this.lines) return;
      this.lines = new Lines();
      this.following = true;
      this.found = [];
      this.at = -1;
      this.build();
      this.read();
    }

    disconnectedCallback() { if (this.stop) this.stop.abort(); }

    build() {
      const make = (name, fields = {}, ...inside) => {
        const element = Object.assign(document.createElement(name), fields);
        element.append(...inside);
        return element;
      };
      this.box = make("input", { type: "search", placeholder: "Search in these lines", ariaLabel: "Search in these lines" });
      this.told = make("span", { className: "hint", role: "status" });
      this.before = make("button", { type: "button", textContent: "↑", ariaLabel: "Match before" });
      this.next = make("button", { type: "button", textContent: "↓", ariaLabel: "Next match" });
      this.follow = make("input", { type: "checkbox", checked: true });
      const label = make("label", {}, this.follow, " Follow");
      this.space = make("div", { className: "space" });
      this.window = make("div", { className: "window", tabIndex: 0, role: "region", ariaLabel: "Output" }, this.space);
      this.replaceChildren(make("div", { className: "bar-of-log" }, this.box, this.before, this.next, label, this.told), this.window);
      this.window.addEventListener("scroll", () => {
        const end = this.window.scrollTop + this.window.clientHeight >= this.window.scrollHeight - 2 * ROW;
        if (!end && this.window.scrollTop < this.last) this.set(false);
        else if (end) this.set(true);
        this.last = this.window.scrollTop;
        this.draw();
      });
      this.follow.addEventListener("change", () => { this.set(this.follow.checked); this.grown(); });
      this.box.addEventListener("input", () => this.search());
      this.box.addEventListener("keydown", (event) => {
        if (event.key === "Enter") { event.preventDefault(); this.step(event.shiftKey ? -1 : 1); }
      });
      this.before.addEventListener("click", () => this.step(-1));
      this.next.addEventListener("click", () => this.step(1));
      new ResizeObserver(() => this.draw()).observe(this.window);
    }

    set(following) { this.following = this.follow.checked = following; }

    async read() {
      this.stop = new AbortController();
      let offset = -BYTES_MAX, began = 0, read = 0;
      for (let wait = 500; ; wait = Math.min(wait * 2, 10000)) {
        try {
          const reply = await fetch(`${this.dataset.url}&follow=true&offset=${offset}`, { signal: this.stop.signal });
          if (!reply.ok) { this.state = `these lines cannot be read (${reply.status})`; this.tell(); return; }
          if (offset < 0) began = Number(reply.headers.get("x-log-offset") || 0);
          const reader = reply.body.getReader();
          for (;;) {
            const { done, value } = await reader.read();
            if (done) { this.state = "ended"; this.grown(); return; }
            read += value.length;
            offset = began + read;
            this.lines.take(value);
            this.later();
            wait = 500;
          }
        } catch (error) {
          if (this.stop.signal.aborted) return;
          this.state = "connecting again";
          this.tell();
          await new Promise((then) => setTimeout(then, wait));
        }
      }
    }

    later() {
      if (this.due) return;
      this.due = true;
      requestAnimationFrame(() => { this.due = false; this.grown(); });
    }

    grown() {
      this.space.style.height = `${Math.max(this.lines.total, 1) * ROW}px`;
      if (this.following) this.window.scrollTop = this.window.scrollHeight;
      if (this.query && this.searched < this.lines.dropped + this.lines.count) this.go();
      this.tell();
      this.draw();
    }

    draw() {
      const first = Math.max(0, Math.floor(this.window.scrollTop / ROW) - BEYOND);
      const last = Math.min(this.lines.total, Math.ceil((this.window.scrollTop + this.window.clientHeight) / ROW) + BEYOND);
      const rows = [];
      for (let index = first; index < last; index += 1) rows.push(this.row(index));
      this.space.replaceChildren(...rows);
    }

    row(index) {
      const row = document.createElement("div"), number = document.createElement("span");
      const name = index + this.lines.dropped;
      row.className = "row";
      if (this.query && this.foundSet.has(name)) row.classList.add(name === this.found[this.at] ? "at" : "found");
      row.style.top = `${index * ROW}px`;
      number.className = "n";
      number.textContent = String(name + 1);
      row.append(number);
      for (const [text, classes] of coloured(this.lines.text(index))) {
        const part = document.createElement("span");
        part.className = classes;
        part.textContent = text;
        row.append(part);
      }
      return row;
    }

    search() {
      this.query = this.box.value.toLowerCase();
      this.found = [];
      this.foundSet = new Set();
      this.at = -1;
      this.searched = this.lines.dropped;
      this.turn = (this.turn || 0) + 1;
      this.going = false;
      if (this.query) this.go(); else { this.tell(); this.draw(); }
    }

    async go() { // a slice at a time, so that keys and scrolling go on
      if (this.going) return;
      this.going = true;
      const turn = this.turn;
      while (this.searched < this.lines.dropped + this.lines.count) {
        const until = performance.now() + SLICE_MS;
        this.searched = Math.max(this.searched, this.lines.dropped);
        while (this.searched < this.lines.dropped + this.lines.count && performance.now() < until) {
          for (let each = 0; each < 200 && this.searched < this.lines.dropped + this.lines.count; each += 1) {
            if (plain(this.lines.text(this.searched - this.lines.dropped)).toLowerCase().includes(this.query)) {
              this.found.push(this.searched);
              this.foundSet.add(this.searched);
            }
            this.searched += 1;
          }
        }
        this.tell();
        await new Promise((then) => setTimeout(then));
        if (turn !== this.turn) return;
        if (this.at === -1 && this.found.length) this.step(1);
      }
      this.going = false;
      this.tell();
      this.draw();
    }

    step(by) {
      if (!this.found.length) return;
      this.at = (this.at + by + this.found.length) % this.found.length;
      this.set(false);
      this.window.scrollTop = Math.max(0, (this.found[this.at] - this.lines.dropped) * ROW - this.window.clientHeight / 2);
      this.last = this.window.scrollTop;
      this.tell();
      this.draw();
    }

    tell() {
      const parts = [`${this.lines.total.toLocaleString("en")} lines`];
      if (this.query) parts.push(this.found.length ? `${Math.max(this.at, 0) + 1} of ${this.found.length.toLocaleString("en")} matches` : this.going ? "searching" : "no match");
      if (this.state) parts.push(this.state);
      this.told.textContent = parts.join(" · ");
    }
  }

  customElements.define("log-view", LogView);
})();
