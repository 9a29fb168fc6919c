'use strict';
// The timeline on a canvas: a lane for each actor, records by virtual time or by order, arrows from causes.
// Where more records are visible than there is room for, they are drawn as densities.

const BOLD = '600 12px system-ui, sans-serif', AXIS = 40, SPARSE = 600;
const SHAPES = { fault: 'diamond', bad: 'diamond', change: 'square', life: 'triangle', look: 'circle', say: 'circle' };

class Timeline {
  constructor(run, hooks) {
    this.run = run;
    this.hooks = hooks;
    this.mode = run.n > 1 && run.time[run.n - 1] > run.time[0] ? 'time' : 'order';
    this.mask = null;
    this.cursor = 0;
    this.tall = run.actors.length > 12 ? 26 : 40; // of a lane
    this.lanes = run.lanes; // actor numbers, in the order in which they are drawn
    this.laneOf = new Uint32Array(run.actors.length);
    this.lanes.forEach((actor, lane) => { this.laneOf[actor] = lane; });
    this.canvas = make('canvas', { role: 'img', 'aria-label': this.summary() });
    this.spacer = make('div', { class: 'lanes' }, this.canvas);
    this.spacer.style.height = `${AXIS + this.lanes.length * this.tall + 6}px`;
    this.tip = make('div', { class: 'tip', hidden: true });
    this.element = make('div', { class: 'timeline', onscroll: () => this.draw() }, this.spacer);
    this.wide = make('div', { class: 'timeline-box' }, this.element, this.tip);
    this.listen();
    this.fit();
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  summary() {
    const { run } = this;
    return `Timeline: ${run.n} records of ${run.actors.length} actors over ${clock(run.at)} of virtual time. ` +
      'The list of records below tells the same in words.';
  }

  pos(i) { return this.mode === 'time' ? this.run.time[i] : i; }

  domain() {
    const { run } = this;
    if (this.mode === 'order') return [-0.5, Math.max(run.n - 0.5, 0.5)];
    // Choices may come before the first record.
    const [low, high] = [Math.min(run.time[0] ?? 0, run.d[0]?.[1] ?? Infinity), run.time[run.n - 1] ?? 0];
    const margin = Math.max((high - low) * 0.02, 1);
    return [low - margin, high + margin];
  }

  fit() { this.view = this.domain(); this.draw(); }

  setMode(mode) { this.mode = mode; this.fit(); this.reveal(); }

  gutter() { return Math.min(this.width * 0.3, 190, 22 + this.longest()); }

  // How wide the widest name is, in pixels.
  longest() {
    if (this.longestName === undefined) {
      const pen = this.canvas.getContext('2d');
      pen.save();
      pen.font = BOLD;
      this.longestName = this.run.actors.reduce((most, name) => Math.max(most, pen.measureText(this.label(name)).width), 42);
      pen.restore();
    }
    return this.longestName;
  }

  // A child stands indented below its parent, by its own part of the path alone, if that is there.
  label(name) {
    this.names ??= new Set(this.run.actors);
    const parts = name.split('/');
    if (!this.names.has(parts.slice(0, -1).join('/'))) return name;
    return '\u2003'.repeat(parts.length - 1) + parts[parts.length - 1];
  }

  x(position) {
    const [low, high] = this.view, gutter = this.gutter();
    return gutter + (position - low) / (high - low) * (this.width - gutter - 8);
  }

  at(x) {
    const [low, high] = this.view, gutter = this.gutter();
    return low + (x - gutter) / (this.width - gutter - 8) * (high - low);
  }

  y(i) { return AXIS + (this.laneOf[this.run.actor[i]] + 0.5) * this.tall - this.element.scrollTop; }

  zoom(by, around = (this.view[0] + this.view[1]) / 2) {
    const [low, high] = this.domain();
    const least = this.mode === 'order' ? 4 : 10;
    const span = Math.min(Math.max((this.view[1] - this.view[0]) * by, least), high - low);
    const share = (around - this.view[0]) / (this.view[1] - this.view[0]);
    this.move(around - span * share, span);
  }

  pan(share) { this.move(this.view[0] + share * (this.view[1] - this.view[0])); }

  move(from, span = this.view[1] - this.view[0]) {
    const [low, high] = this.domain();
    const start = Math.min(Math.max(from, low), high - span);
    this.view = [start, start + span];
    this.draw();
  }

  // Brings the cursor into view, and its lane.
  reveal() {
    if (!this.run.n || !this.width) return;
    const here = this.pos(this.cursor), [low, high] = this.view, span = high - low;
    if (here < low + span * 0.02 || here > high - span * 0.02) this.move(here - span / 2);
    const lane = this.laneOf[this.run.actor[this.cursor]] * this.tall, { scrollTop, clientHeight } = this.element;
    if (lane < scrollTop || lane + this.tall * 2 + AXIS > scrollTop + clientHeight) {
      this.element.scrollTop = lane - (clientHeight - AXIS) / 2;
    }
    this.draw();
  }

  // The first index whose position is not below `position`.
  firstAt(position) {
    return this.mode === 'time' ? this.run.firstAt(position)
      : Math.min(Math.max(Math.ceil(position), 0), this.run.n);
  }

  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.paint(); });
  }

  paint() {
    const box = this.element.getBoundingClientRect();
    if (box.width === 0) return;
    const ratio = window.devicePixelRatio || 1;
    [this.width, this.height] = [this.element.clientWidth, this.element.clientHeight];
    const [wide, high] = [this.width * ratio, this.height * ratio].map(Math.round);
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      Object.assign(this.canvas, { width: wide, height: high });
      this.canvas.style.width = `${this.width}px`;
      this.canvas.style.height = `${this.height}px`;
    }
    const pen = this.pen = this.canvas.getContext('2d');
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    pen.font = '12px system-ui, sans-serif';
    pen.textBaseline = 'middle';
    this.colors = colors();
    const from = this.firstAt(this.view[0]), to = this.firstAt(this.view[1] + 1e-9);
    this.paintLanes();
    pen.save();
    pen.beginPath();
    pen.rect(this.gutter(), 0, this.width, this.height);
    pen.clip();
    this.paintFaults(from, to);
    const visible = this.countVisible(from, to);
    if (visible <= SPARSE) {
      this.paintArrows(from, to);
      this.paintMarkers(from, to);
    } else {
      this.paintDensity(from, to);
    }
    this.paintCursor();
    pen.restore();
    this.paintAxis(from, to, visible);
    this.hooks.moved?.(this.view);
  }

  countVisible(from, to) {
    if (!this.mask) return to - from;
    let count = 0;
    for (let i = from; i < to; i++) count += this.mask[i];
    return count;
  }

  paintLanes() {
    const { pen, colors, run } = this, gutter = this.gutter(), scroll = this.element.scrollTop;
    this.lanes.forEach((actor, lane) => {
      const top = AXIS + lane * this.tall - scroll;
      if (top + this.tall < AXIS || top > this.height) return;
      if (lane % 2) {
        pen.fillStyle = colors.stripe;
        pen.fillRect(0, top, this.width, this.tall);
      }
      pen.strokeStyle = colors.rule;
      pen.beginPath();
      pen.moveTo(gutter, top + this.tall / 2);
      pen.lineTo(this.width, top + this.tall / 2);
      pen.stroke();
      const isCurrent = run.n && run.actor[this.cursor] === actor;
      pen.fillStyle = isCurrent ? colors.ink : colors.faint;
      pen.font = isCurrent ? BOLD : '12px system-ui, sans-serif';
      pen.fillText(fitText(pen, this.label(run.actors[actor]), gutter - 12), 8, top + this.tall / 2);
    });
    pen.font = '12px system-ui, sans-serif';
  }

  paintAxis(from, to, visible) {
    const { pen, colors, run } = this, gutter = this.gutter(), [low, high] = this.view;
    pen.fillStyle = colors.paper;
    pen.fillRect(0, 0, this.width, AXIS);
    const room = Math.max((this.width - gutter) / 110, 2);
    const step = Math.max(round((high - low) / room), this.mode === 'order' ? 1 : 0);
    pen.fillStyle = colors.faint;
    pen.strokeStyle = colors.rule;
    pen.textAlign = 'center';
    for (let tick = Math.ceil(Math.max(low, 0) / step) * step; tick <= high; tick += step) {
      const x = this.x(tick);
      if (x < gutter + 4) continue;
      pen.beginPath();
      pen.moveTo(x, 18);
      pen.lineTo(x, 24);
      pen.stroke();
      const known = this.mode === 'order' && Math.round(tick) < run.n;
      if (this.mode === 'time' || known) {
        const text = this.mode === 'time' ? ticked(tick, step) : grouped(run.number[Math.round(tick)]);
        if (x + pen.measureText(text).width / 2 < this.width) pen.fillText(text, x, 10);
      }
    }
    pen.textAlign = 'left';
    pen.fillText(this.mode === 'time' ? 'time' : 'record', 8, 10);
    pen.fillText(fitText(pen, 'choices', gutter - 12), 8, 31);
    // Decisions, in the order in which they were taken; those that depart from the default stand out.
    const sparse = visible <= SPARSE;
    let painted = -10;
    for (let index = this.firstDecision(from); index < run.d.length; index++) {
      const [frame, at, , , standard, take] = run.d[index];
      const position = this.mode === 'time' ? at : frame - 0.5;
      if (position > high) break;
      const departs = take !== standard, x = this.x(position);
      if (x < gutter || (!departs && (!sparse || x - painted < 5))) continue;
      painted = x;
      pen.fillStyle = departs ? colors.choice : colors.faint;
      pen.beginPath();
      if (departs) {
        pen.moveTo(x - 5, 26); pen.lineTo(x + 5, 26); pen.lineTo(x, 37);
      } else {
        pen.arc(x, 31, 1.8, 0, 7);
      }
      pen.fill();
    }
    pen.strokeStyle = colors.rule;
    pen.beginPath();
    pen.moveTo(0, AXIS - 0.5);
    pen.lineTo(this.width, AXIS - 0.5);
    pen.stroke();
  }

  firstDecision(frame) {
    const { d } = this.run;
    let [low, high] = [0, d.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (d[middle][0] < frame) low = middle + 1; else high = middle;
    }
    return low;
  }

  paintFaults(from, to) {
    const { pen, colors, run } = this;
    pen.strokeStyle = colors.fault;
    pen.setLineDash([3, 3]);
    let last = -9;
    for (let i = from; i < to; i++) {
      if (run.tone(i) !== 'fault') continue;
      const x = this.x(this.pos(i));
      if (x - last < 3) continue;
      last = x;
      pen.beginPath();
      pen.moveTo(x, AXIS);
      pen.lineTo(x, this.height);
      pen.stroke();
    }
    pen.setLineDash([]);
  }

  paintArrows(from, to) {
    for (let i = from; i < to; i++) {
      for (const { from: cause, how } of this.run.causes(i)) {
        if (this.shows(i) && this.shows(cause)) this.arrow(cause, i, how, 0.45);
      }
    }
  }

  arrow(from, to, how, alpha) {
    const { pen, colors } = this;
    const [x0, y0, x1, y1] = [this.x(this.pos(from)), this.y(from), this.x(this.pos(to)), this.y(to)];
    if (y0 === y1 && Math.abs(x1 - x0) < 12) return;
    const bend = Math.min(Math.abs(x1 - x0) / 2, 60) + (x0 === x1 ? 18 : 0);
    pen.globalAlpha = alpha;
    pen.strokeStyle = pen.fillStyle = colors[how] ?? colors.faint;
    pen.lineWidth = alpha > 0.5 ? 2 : 1.3;
    pen.setLineDash(how === 'data' ? [5, 3] : []);
    pen.beginPath();
    pen.moveTo(x0, y0);
    pen.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1 - 6, y1);
    pen.stroke();
    pen.setLineDash([]);
    pen.beginPath();
    pen.moveTo(x1 - 5, y1);
    pen.lineTo(x1 - 12, y1 - 4);
    pen.lineTo(x1 - 12, y1 + 4);
    pen.fill();
    pen.globalAlpha = pen.lineWidth = 1;
  }

  shows(i) { return !this.mask || this.mask[i] === 1; }

  paintMarkers(from, to) {
    const { pen, run } = this;
    // A sentence fits beside a record if the next one on its lane is far away.
    const next = new Map();
    for (let i = to - 1; i >= from; i--) {
      if (!this.shows(i)) continue;
      const lane = run.actor[i], x = this.x(this.pos(i));
      const room = (next.get(lane) ?? this.width - 4) - x - 26;
      next.set(lane, x);
      if (room > 40) {
        // A rim keeps the words readable where the lane's line or an arrow runs through them.
        const words = fitText(pen, plain(run.words(i)), room), rim = this.laneOf[lane] % 2 ? 'stripe' : 'paper';
        pen.fillStyle = this.colors.ink;
        pen.strokeStyle = this.colors[rim];
        pen.lineWidth = 4;
        pen.lineJoin = 'round';
        pen.strokeText(words, x + 13, this.y(i));
        pen.lineWidth = 1;
        pen.fillText(words, x + 13, this.y(i));
      }
      this.marker(i, x, this.y(i), 4.5);
    }
  }

  marker(i, x, y, size) {
    const { pen, colors, run } = this;
    if (y < AXIS - this.tall / 2 || y > this.height + this.tall) return;
    pen.fillStyle = colors[run.tone(i)];
    pen.strokeStyle = colors.paper;
    pen.beginPath();
    shape(pen, SHAPES[run.tone(i)], x, y, size);
    pen.fill();
    pen.stroke();
  }

  paintDensity(from, to) {
    const { pen, colors, run, mask } = this, left = Math.floor(this.gutter()), wide = Math.ceil(this.width) - left;
    const tones = Object.keys(SHAPES), order = run.kinds.map((kind) => tones.indexOf(kind.c));
    const counts = new Uint32Array(wide * this.lanes.length);
    const worst = new Uint8Array(counts.length).fill(255);
    const [low, high] = this.view, scale = (wide - 8) / (high - low);
    let most = 1;
    for (let i = from; i < to; i++) {
      if (mask && !mask[i]) continue;
      const column = ((this.mode === 'time' ? run.time[i] : i) - low) * scale | 0;
      const cell = this.laneOf[run.actor[i]] * wide + column;
      most = Math.max(most, ++counts[cell]);
      worst[cell] = Math.min(worst[cell], order[run.kind[i]]);
    }
    const scroll = this.element.scrollTop, first = Math.max(Math.floor(scroll / this.tall), 0);
    const last = Math.min(this.lanes.length, Math.ceil((scroll + this.height) / this.tall));
    for (let lane = first; lane < last; lane++) {
      const middle = AXIS + (lane + 0.5) * this.tall - scroll;
      for (let column = 0; column < wide; column++) {
        const count = counts[lane * wide + column];
        if (!count) continue;
        const tall = 4 + (this.tall - 8) * Math.log1p(count) / Math.log1p(most);
        pen.fillStyle = colors[tones[worst[lane * wide + column]]];
        pen.fillRect(left + column, middle - tall / 2, 1.4, tall);
      }
    }
  }

  paintCursor() {
    const { pen, colors, run } = this;
    if (!run.n) return;
    const i = this.cursor, x = this.x(this.pos(i)), y = this.y(i);
    for (const { from, how } of run.causes(i)) this.arrow(from, i, how, 1);
    for (const { to, how } of run.effects(i).slice(0, 50)) this.arrow(i, to, how, 1);
    pen.strokeStyle = colors.cursor;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(x, AXIS);
    pen.lineTo(x, this.height);
    pen.stroke();
    this.marker(i, x, y, 6);
    pen.strokeStyle = colors.cursor;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, 9, 0, 7);
    pen.stroke();
    pen.lineWidth = 1;
  }

  // The record nearest to a point, on its lane if there is one near.
  nearest(x, y) {
    const lane = Math.floor((y - AXIS + this.element.scrollTop) / this.tall), middle = this.firstAt(this.at(x));
    let best = null, least = Infinity;
    const look = (i) => {
      const away = Math.abs(this.x(this.pos(i)) - x);
      if (!this.shows(i)) return away <= least;
      const cost = away + (this.laneOf[this.run.actor[i]] === lane ? 0 : 40);
      if (cost < least) [best, least] = [i, cost];
      return away <= least;
    };
    for (let i = middle; i < Math.min(this.run.n, middle + 5000) && look(i);) i++;
    for (let i = middle - 1; i >= Math.max(0, middle - 5000) && look(i);) i--;
    return best;
  }

  listen() {
    const fingers = new Map();
    let moved = 0, apart = 0;
    const point = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const spread = () => {
      const [one, other] = [...fingers.values()];
      return Math.abs(one[0] - other[0]);
    };
    this.canvas.addEventListener('pointerdown', (event) => {
      fingers.set(event.pointerId, point(event));
      moved = 0;
      if (fingers.size === 2) apart = spread();
      if (event.pointerType !== 'touch') this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener('pointermove', (event) => {
      const [x, y] = point(event), before = fingers.get(event.pointerId);
      if (!before) return this.hover(x, y);
      fingers.set(event.pointerId, [x, y]);
      moved += Math.abs(x - before[0]) + Math.abs(y - before[1]);
      if (fingers.size === 2) {
        const now = spread(), [one, other] = [...fingers.values()];
        if (now > 10 && apart > 10) this.zoom(apart / now, this.at((one[0] + other[0]) / 2));
        apart = now;
      } else if (moved > 4) {
        this.move(this.view[0] - (this.at(x) - this.at(before[0])));
        if (event.pointerType !== 'touch') this.element.scrollTop -= y - before[1];
      }
    });
    const end = (event) => {
      const known = fingers.delete(event.pointerId);
      if (known && event.type === 'pointerup' && moved <= 4 && fingers.size === 0) {
        const found = this.nearest(...point(event));
        if (found !== null) this.hooks.picked(found);
      }
    };
    for (const type of ['pointerup', 'pointercancel']) this.canvas.addEventListener(type, end);
    this.canvas.addEventListener('pointerleave', () => { this.tip.hidden = true; });
    this.canvas.addEventListener('wheel', (event) => {
      const sideways = event.shiftKey ? event.deltaY : event.deltaX;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        this.zoom(Math.exp(event.deltaY / 300), this.at(point(event)[0]));
      } else if (sideways) {
        event.preventDefault();
        this.pan(sideways / this.width);
      }
    }, { passive: false });
  }

  hover(x, y) {
    const found = x > this.gutter() && y > AXIS ? this.nearest(x, y) : null;
    const away = found === null ? Infinity : Math.hypot(this.x(this.pos(found)) - x, this.y(found) - y);
    this.tip.hidden = away > 18;
    if (this.tip.hidden) return;
    this.tip.textContent = `${clock(this.run.time[found])} · ${plain(this.run.sentence(found))}`;
    this.tip.style.left = '0';
    this.tip.style.left = `${Math.max(Math.min(x + 12, this.width - this.tip.offsetWidth), 0)}px`;
    this.tip.style.top = `${y + 16}px`;
  }
}

function shape(pen, name, x, y, size) {
  if (name === 'circle') return pen.arc(x, y, size, 0, 7);
  const points = {
    square: [[-1, -1], [1, -1], [1, 1], [-1, 1]],
    diamond: [[0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]],
    triangle: [[-1.1, -1], [1.3, 0], [-1.1, 1]],
  }[name];
  points.forEach(([dx, dy], at) => pen[at ? 'lineTo' : 'moveTo'](x + dx * size, y + dy * size));
  pen.closePath();
}

// Prose without the backticks around code.
function plain(text) { return text.replaceAll('`', ''); }

function fitText(pen, text, room) {
  if (text.length * 10 < room || pen.measureText(text).width <= room) return text;
  const keep = Math.max(Math.floor(text.length * room / pen.measureText(text).width) - 1, 0);
  return keep < 2 ? '' : `${text.slice(0, keep)}…`;
}

// The time of a tick, with as many digits as neighbours need to differ.
function ticked(ns, step) {
  const [unit, size] = step >= 1e8 || ns >= 1e10 ? ['s', 1e9] : step >= 1e5 ? ['ms', 1e6] : step >= 100 ? ['µs', 1e3] : ['ns', 1];
  const digits = Math.max(0, Math.ceil(-Math.log10(step / size) - 1e-9));
  return `${(ns / size).toFixed(Math.min(digits, 9))} ${unit}`;
}

// The colours of the page as it is shown now: light, dark or on paper.
function colors() {
  const style = getComputedStyle(document.documentElement);
  const names = ['paper', 'ink', 'faint', 'rule', 'stripe', 'cursor', 'choice', 'fault', 'bad', 'change', 'life',
    'look', 'say', 'fork', 'signal', 'packet', 'data', 'accent'];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}
