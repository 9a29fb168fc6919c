'use strict';
// A run, decoded from its island of JSON. Records are columns of numbers; texts stand in one dictionary `s`,
// where 0 means "none". Times are nanoseconds of virtual time.

class Run {
  constructor(data) {
    Object.assign(this, data);
    const n = this.n = data.t.length;
    this.time = new Float64Array(n);
    this.actor = Uint32Array.from(data.a);
    this.kind = Uint16Array.from(data.k);
    this.number = new Float64Array(n); // the place in the whole trace, from 0
    this.row = new Uint32Array(n); // the how manieth of its kind
    this.touchedFrom = new Uint32Array(n + 1);
    const rows = new Uint32Array(data.kinds.length);
    for (const kind of data.kinds) kind.code = kind.f.indexOf('code');
    for (let i = 0, time = 0, number = -1; i < n; i++) {
      this.time[i] = time += data.t[i];
      this.number[i] = number += data.i ? data.i[i] : 1;
      this.row[i] = rows[this.kind[i]]++;
      this.touchedFrom[i + 1] = this.touchedFrom[i] + (data.w ? data.w[i] : 0);
    }
    this.causesOf = new Map();
    this.effectsOf = new Map();
    const put = (map, key, value) => { if (map.has(key)) map.get(key).push(value); else map.set(key, [value]); };
    for (let at = 0, to = 0; at < data.c.length; at += 3) {
      to += data.c[at];
      const from = to - data.c[at + 1], how = data.c[at + 2];
      put(this.causesOf, to, { from, how: data.hows[how] });
      put(this.effectsOf, from, { to, how: data.hows[how] });
    }
    this.decisionsAt = new Map();
    data.d.forEach((decision, index) => {
      const [frame] = decision;
      if (!this.decisionsAt.has(frame)) this.decisionsAt.set(frame, []);
      this.decisionsAt.get(frame).push(this.decision(index));
    });
  }

  // How many of the records here are among the first `records` of the whole run.
  after(records) {
    let [low, high] = [0, this.n];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.number[middle] < records) low = middle + 1; else high = middle;
    }
    return low;
  }

  // The tones that are there.
  get tones() {
    if (!this.allTones) {
      this.allTones = new Set();
      for (let i = 0; i < this.n; i++) this.allTones.add(this.tone(i));
    }
    return this.allTones;
  }

  text(index) { return index === 0 ? null : this.s[index - 1]; }

  decision(index) {
    const [frame, at, place, options, preferred, take, count] = this.d[index];
    const [label, standard] = [this.text(take), this.text(preferred)];
    return {
      frame, at, place: this.text(place), take: label, standard, count,
      departs: label !== standard, options: options.map((option) => this.text(option)),
    };
  }

  field(i, at) {
    const column = this.kinds[this.kind[i]].cols[at];
    return this.text(typeof column === 'number' ? column : column[this.row[i]]);
  }

  fields(i) {
    return this.kinds[this.kind[i]].f.map((name, at) => [name, this.field(i, at)]);
  }

  words(i) {
    const kind = this.kinds[this.kind[i]];
    return kind.w.replace(/\{(\w+)\}/g, (_, name) => this.field(i, kind.f.indexOf(name)) ?? '');
  }

  actorName(i) { return this.actors[this.actor[i]]; }
  kindName(i) { return this.kinds[this.kind[i]].n; }
  causes(i) { return this.causesOf.get(i) ?? []; }
  effects(i) { return this.effectsOf.get(i) ?? []; }

  // A call that failed is an error, whatever it was to do; a look that changed something is a change.
  tone(i) {
    const kind = this.kinds[this.kind[i]];
    if (kind.code >= 0 && kind.c !== 'fault' && this.field(i, kind.code) !== '0') return 'bad';
    return kind.c === 'look' && this.changes(i) ? 'change' : kind.c;
  }
  changes(i) {
    for (let at = this.touchedFrom[i]; at < this.touchedFrom[i + 1]; at++) if (this.tb[at] !== this.ta[at]) return true;
    return false;
  }
  sentence(i) { return `${this.actorName(i)} ${this.words(i)}`; }

  touched(i) {
    const things = [];
    for (let at = this.touchedFrom[i]; at < this.touchedFrom[i + 1]; at++) {
      const [what, before, after] = [this.tw[at], this.tb[at], this.ta[at]].map((text) => this.text(text));
      things.push({ what, before, after });
    }
    return things;
  }

  // The first of the sorted `indices` whose record is not before `time`.
  firstAt(time) {
    let [low, high] = [0, this.n];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time[middle] < time) low = middle + 1; else high = middle;
    }
    return low;
  }
}

// The run of an island: at once, or a promise of it if the island is packed (base64 of zlib's format).
function unpacked(text) {
  if (text.startsWith('{')) return new Run(JSON.parse(text));
  if (!('DecompressionStream' in window)) return Promise.reject(new Error('this browser is too old to unpack a large run'));
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Response(stream).json().then((data) => new Run(data));
}

// Prose with code in backticks, as nodes.
function coded(text) {
  return text.split('`').map((part, at) => (at % 2 ? make('code', {}, part) : part));
}

// `1.004 s`, `250 µs`: as many digits as there are.
function clock(ns) {
  if (ns === 0) return '0 s';
  const [unit, size] = ns >= 1e9 ? ['s', 1e9] : ns >= 1e6 ? ['ms', 1e6] : ns >= 1e3 ? ['µs', 1e3] : ['ns', 1];
  return `${+(ns / size).toFixed(6)} ${unit}`;
}

// 12 345, but 1234
function grouped(number) {
  const digits = String(number);
  return digits.length < 5 ? digits : digits.replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
}

// The smallest of 1, 2, 5 times a power of ten that is not below `least`.
function round(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((by) => by * power).find((step) => step >= least * 0.999999);
}

// An element with properties and children; texts become text nodes, never markup.
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}
