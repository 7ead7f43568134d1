// The map's data: files of arrays as /v1/fleet gives them (docs/guides/fleet-map-format.md), where each node is drawn, and
// in which colour. Nothing here touches the page.
"use strict";

window.gwFleet = (() => {
  const LEVELS = ["site", "hall", "spine", "leaf", "rack"];
  const RACK = 4;
  // In texels, of which one is one GPU: between neighbours of a level, and above them for their names.
  const GAP = [24, 12, 5, 3, 1];
  const HEAD = [0, 11, 0, 3, 2];
  // How much wider than high things are put together: sites, halls of a site, spines of a hall, leaves of a spine. Racks
  // of a leaf stand in a line.
  const ASPECT = [1.75, 1.75, 1.9, 1.3, 0];
  const ROW_GPUS = 8;
  const PLAIN = 5; // as wide is a node without GPUs, among others without
  const STACK = 24; // nodes on each other in a rack, before there is a second column
  const TRIES = 64;
  const TYPES = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array };

  function parse(buffer) {
    const view = new DataView(buffer);
    if (view.getUint32(0, true) !== 0x31465747) throw new Error("this is no file of the fleet map");
    const length = view.getUint32(4, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
    const arrays = {};
    for (const each of header.arrays) {
      arrays[each.name] = new TYPES[each.type](buffer, 8 + length + each.offset, each.length);
    }
    return { header, arrays };
  }

  // Boxes beside each other in lines, so that all fit into a window that is `aspect` times as wide as high. 0 is one line.
  function shelves(widths, heights, gap, aspect) {
    let best = lines(widths, heights, gap, Infinity);
    if (!aspect) return best;
    let reach = -gap;
    for (let i = 0; i < Math.min(widths.length, TRIES); i++) {
      reach += widths[i] + gap;
      const tried = lines(widths, heights, gap, reach);
      if (Math.max(tried.width / aspect, tried.height) < Math.max(best.width / aspect, best.height)) best = tried;
    }
    return best;
  }

  function lines(widths, heights, gap, limit) {
    const xs = [], ys = [];
    let x = 0, y = 0, line = 0, width = 0;
    for (let i = 0; i < widths.length; i++) {
      if (x > 0 && x + widths[i] > limit) { x = 0; y += line + gap; line = 0; }
      xs.push(x); ys.push(y);
      x += widths[i] + gap;
      line = Math.max(line, heights[i]);
      width = Math.max(width, x - gap);
    }
    return { xs, ys, width, height: y + line };
  }

  // Where every node and domain is, in texels.
  class Geometry {
    constructor(layout) {
      const { header, arrays } = layout;
      this.count = header.nodes;
      this.gpus = arrays.gpus;
      this.kinds = header.kinds;
      this.kind = arrays.kind;
      this.starts = LEVELS.map((level) => arrays[`${level}_start`]);
      this.names = LEVELS.map((level) => {
        const text = new TextDecoder().decode(arrays[`${level}_name`]);
        return this.count ? text.split("\0") : [];
      });
      // Levels that say nothing: without names, or each domain alone in the one above.
      this.shown = LEVELS.map((_, level) => this.names[level].some(Boolean));
      this.boxes = LEVELS.map((_, level) => new Int32Array(4 * this.starts[level].length));
      this.x = new Int32Array(this.count);
      this.y = new Int32Array(this.count);
      this.across = new Uint8Array(this.count);
      this.down = new Uint8Array(this.count);
      this.lay();
    }

    rows(level, index) {
      const starts = this.starts[level];
      return [starts[index], index + 1 < starts.length ? starts[index + 1] : this.count];
    }

    // Which domain of a level a row is in.
    domain(level, row) {
      const starts = this.starts[level];
      let low = 0, high = starts.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (starts[middle] <= row) low = middle; else high = middle - 1;
      }
      return low;
    }

    children(level, index) {
      const [first, end] = this.rows(level, index);
      const low = this.domain(level + 1, first);
      return end > first ? [low, this.domain(level + 1, end - 1) + 1] : [low, low];
    }

    lay() {
      const sizes = LEVELS.map((_, level) => new Int32Array(2 * this.starts[level].length));
      for (let rack = 0; rack < this.starts[RACK].length; rack++) this.stack(rack, sizes[RACK]);
      const places = LEVELS.map(() => []);
      for (let level = RACK - 1; level >= 0; level--) {
        for (let index = 0; index < this.starts[level].length; index++) {
          const packed = this.pack(level, ...this.children(level, index), sizes[level + 1]);
          sizes[level][2 * index] = packed.width;
          sizes[level][2 * index + 1] = packed.height + (this.shown[level] ? HEAD[level] : 0);
          places[level][index] = packed;
        }
      }
      const top = this.pack(-1, 0, this.starts[0].length, sizes[0]);
      const margin = 2;
      this.width = Math.max(1, top.width + 2 * margin);
      this.height = Math.max(1, top.height + 2 * margin);
      for (let index = 0; index < this.starts[0].length; index++) {
        this.place(0, index, margin + top.xs[index], margin + top.ys[index], sizes, places);
      }
    }

    pack(level, low, high, sizes) {
      const widths = [], heights = [];
      for (let child = low; child < high; child++) {
        widths.push(sizes[2 * child]);
        heights.push(sizes[2 * child + 1]);
      }
      const few = level === 3 && high - low > 32 ? 4 : 0; // a row of very many racks is folded
      return shelves(widths, heights, GAP[level + 1], level === 3 ? few : ASPECT[level + 1]);
    }

    // The nodes of a rack, from its top left corner on.
    stack(rack, sizes) {
      const [first, end] = this.rows(RACK, rack);
      let across = 0, down = 1;
      for (let row = first; row < end; row++) {
        across = Math.max(across, Math.min(this.gpus[row], ROW_GPUS));
        down = Math.max(down, Math.ceil(this.gpus[row] / ROW_GPUS));
      }
      across = across || PLAIN;
      const high = Math.min(end - first, Math.max(1, Math.floor(STACK / down)));
      const columns = Math.ceil((end - first) / high);
      const even = Math.ceil((end - first) / columns);
      for (let row = first; row < end; row++) {
        this.x[row] = Math.floor((row - first) / even) * (across + 1);
        this.y[row] = ((row - first) % even) * down;
        this.across[row] = across;
        this.down[row] = down;
      }
      sizes[2 * rack] = columns * (across + 1) - 1;
      sizes[2 * rack + 1] = even * down + (this.shown[RACK] ? HEAD[RACK] : 0);
    }

    place(level, index, x, y, sizes, places) {
      this.boxes[level].set([x, y, sizes[level][2 * index], sizes[level][2 * index + 1]], 4 * index);
      const head = this.shown[level] ? HEAD[level] : 0;
      if (level === RACK) {
        const [first, end] = this.rows(RACK, index);
        for (let row = first; row < end; row++) { this.x[row] += x; this.y[row] += y + head; }
        return;
      }
      const { xs, ys } = places[level][index];
      const [low] = this.children(level, index);
      for (let i = 0; i < xs.length; i++) {
        this.place(level + 1, low + i, x + xs[i], y + head + ys[i], sizes, places);
      }
    }

    // The domain of a level at a place; -1 for none.
    at(level, x, y, low = 0, high = this.starts[level].length) {
      const boxes = this.boxes[level];
      for (let i = low; i < high; i++) {
        const b = 4 * i;
        if (x >= boxes[b] && x < boxes[b] + boxes[b + 2] && y >= boxes[b + 1] && y < boxes[b + 1] + boxes[b + 3]) return i;
      }
      return -1;
    }

    // The node and GPU at a place in texels; null for none.
    find(x, y) {
      let low = 0, high = this.starts[0].length, index = -1;
      for (let level = 0; level <= RACK; level++) {
        index = this.at(level, x, y, low, high);
        if (index < 0) return null;
        if (level < RACK) [low, high] = this.children(level, index);
      }
      const [first, end] = this.rows(RACK, index);
      for (let row = first; row < end; row++) {
        const left = x - this.x[row], up = y - this.y[row];
        if (left >= 0 && left < this.across[row] && up >= 0 && up < this.down[row]) {
          const device = Math.floor(up) * this.across[row] + Math.floor(left);
          return { row, device: device < this.gpus[row] ? device : -1 };
        }
      }
      return null;
    }

    path(row) {
      const names = [];
      for (let level = 0; level <= RACK; level++) {
        const name = this.names[level][this.domain(level, row)];
        if (name) names.push([LEVELS[level], name]);
      }
      return names;
    }
  }

  // How GPUs are coloured, mode by mode. Keys are names of colours; `key(row, code)` has the key of what a gang has there
  // and of what nobody has.
  const STATE_KEYS = {
    ready: "idle", cordoned: "cordoned", draining: "draining", down: "down", joining: "checking",
    checking: "checking", empty: "cordoned", repair: "repair", retired: "repair",
  };
  const PHASE_KEYS = ["idle", "other", "starting", "running", "serving", "workspace", "stopping",
    "cordoned", "draining", "checking", "repair", "down"];
  const HEALTH_KEYS = ["well", "unchecked", "warn", "suspect", "fail", "checking", "cordoned", "draining", "repair", "down"];
  const OWNERS = 12;
  const RAMP = 32;

  function ramp(name) {
    return Array.from({ length: RAMP }, (_, i) => `${name}-${i}`);
  }

  const MODES = {
    phase: {
      title: "Phase",
      keys: () => PHASE_KEYS,
      make(state) {
        const { header, arrays } = state;
        const ofPhase = header.phases.map((name) => PHASE_KEYS.indexOf(name));
        const ofState = header.states.map((name) => PHASE_KEYS.indexOf(STATE_KEYS[name]));
        const down = header.states.indexOf("down");
        return {
          busy: (row, code) => arrays.state[row] === down ? ofState[down] : code < 2 ? 1 : ofPhase[arrays.gang_phase[code]],
          free: (row) => ofState[arrays.state[row]],
        };
      },
    },
    owner: {
      title: "Project",
      keys: (state) => ["idle", "unusable", "other", ...Array.from({ length: OWNERS }, (_, i) => `owner-${i}`), "rest"].slice(0, 3 + OWNERS + (state.owned.length > OWNERS ? 1 : 0)),
      make(state) {
        const { header, arrays } = state;
        const place = new Int32Array(header.owners.length).fill(3 + OWNERS);
        state.owned.slice(0, OWNERS).forEach(([owner], i) => { place[owner] = 3 + i; });
        place[0] = 2;
        const ready = header.states.indexOf("ready");
        return {
          busy: (row, code) => place[arrays.gang_owner[code]],
          free: (row) => arrays.state[row] === ready ? 0 : 1,
        };
      },
    },
    health: {
      title: "Health",
      keys: () => HEALTH_KEYS,
      make(state) {
        const { header, arrays } = state;
        const ofState = header.states.map((name) => HEALTH_KEYS.indexOf(STATE_KEYS[name]));
        const ofCheck = header.checks.map((name) => ({ "": 1, ok: 0, warn: 2, fail: 4 })[name]);
        const whole = 1000 / header.suspicion_unit;
        const of = (row) => {
          const state = ofState[arrays.state[row]];
          if (state >= 0) return state;
          const check = ofCheck[arrays.check[row]];
          return check === 4 ? 4 : arrays.suspicion[row] >= whole ? 3 : check;
        };
        return { busy: of, free: of };
      },
    },
    use: {
      title: "Utilisation",
      keys: () => ramp("ramp"),
      scale: () => ["0 %", "of the node's GPUs in use", "100 %"],
      make(state) {
        const { used } = state.arrays;
        const of = (row) => used[row] * (RAMP - 1) / 255 | 0;
        return { busy: of, free: of };
      },
    },
    power: {
      title: "Power",
      keys: () => ramp("ramp"),
      scale(state) {
        const said = state.header.power_reported;
        const how = said ? `reported by ${said.toLocaleString("en")} nodes, of others what gangs draw at most` : "what gangs draw at most, by the makers' figures";
        return ["0", how, watts(state.top * state.header.power_unit_w)];
      },
      make(state) {
        const { power } = state.arrays;
        state.top = power.reduce((most, each) => Math.max(most, each), 1);
        const of = (row) => power[row] * (RAMP - 1) / state.top | 0;
        return { busy: of, free: of };
      },
    },
    heat: {
      title: "Temperature",
      keys: () => ["unreported", ...ramp("warm")],
      needs: "heat",
      scale: () => ["30 °C", "hottest GPU of the node, as its checks report", "95 °C"],
      make(state) {
        const { heat } = state.arrays;
        const of = (row) => heat[row] ? 1 + Math.max(0, Math.min(RAMP - 1, (heat[row] - 30) * (RAMP - 1) / 65 | 0)) : 0;
        return { busy: of, free: of };
      },
    },
  };

  function watts(value) {
    for (const [factor, unit] of [[1e9, "GW"], [1e6, "MW"], [1e3, "kW"]]) {
      if (value >= factor) return `${(value / factor).toPrecision(3)} ${unit}`;
    }
    return `${Math.round(value)} W`;
  }

  // What is on the map at one moment.
  class State {
    constructor(file, geometry) {
      this.header = file.header;
      this.arrays = file.arrays;
      this.parts = new Map();
      const { part_row, part_gang, part_bits } = file.arrays;
      for (let i = 0; i < part_row.length; i++) {
        const row = part_row[i];
        if (!this.parts.has(row)) this.parts.set(row, []);
        this.parts.get(row).push([part_gang[i], part_bits[i]]);
      }
      this.owned = this.largest(geometry);
    }

    // Owners by what they hold, the largest first.
    largest(geometry) {
      const held = new Float64Array(this.header.owners.length);
      const { gang, gang_owner, bits } = this.arrays;
      for (let row = 0; row < gang.length; row++) {
        if (gang[row] > 1) held[gang_owner[gang[row]]] += geometry.gpus[row] ? ones(bits[row]) : 1;
      }
      const found = [...held.keys()].filter((owner) => owner && held[owner]);
      return found.sort((a, b) => held[b] - held[a] || a - b).map((owner) => [owner, held[owner]]);
    }

    // The gang that has a device of a row; 0 for none.
    gangOf(row, device) {
      const shared = this.parts.get(row);
      if (shared) return (shared.find(([, bits]) => (bits >>> device) & 1) || [0])[0];
      return (this.arrays.bits[row] >>> device) & 1 ? this.arrays.gang[row] : 0;
    }
  }

  function ones(bits) {
    let count = 0;
    for (let rest = bits; rest; rest &= rest - 1) count++;
    return count;
  }

  // Colours every device into `pixels`, one texel each, and counts devices by key. `dim` has the colours of what is not
  // lit; `lit` says which rows are, all where it is null, and `only` which key.
  function paint(pixels, geometry, state, mode, colours, dim, lit, only) {
    const { busy, free } = MODES[mode].make(state);
    const counts = new Float64Array(colours.length);
    const { gpus, x, y, across } = geometry;
    const { gang, bits } = state.arrays;
    const width = geometry.width;
    for (let row = 0; row < geometry.count; row++) {
      const many = gpus[row] || 1, code = gang[row], held = bits[row], wide = across[row];
      const shown = lit === null || lit[row] !== 0;
      const idle = free(row);
      const taken = code ? busy(row, code) : idle;
      const shared = state.parts.size ? state.parts.get(row) : undefined;
      let at = y[row] * width + x[row];
      let column = 0;
      for (let device = 0; device < many; device++) {
        let key = (held >>> device) & 1 ? taken : idle;
        if (shared && (held >>> device) & 1) key = busy(row, state.gangOf(row, device));
        counts[key]++;
        pixels[at] = shown && (only < 0 || only === key) ? colours[key] : dim[key];
        at++;
        if (++column === wide) { column = 0; at += width - wide; }
      }
      if (!gpus[row]) for (let more = 1; more < wide; more++) pixels[at - 1 + more] = pixels[at - 1];
    }
    return counts;
  }

  return { LEVELS, RACK, RAMP, OWNERS, HEAD, MODES, Geometry, State, parse, paint, watts };
})();
