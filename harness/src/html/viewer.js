'use strict';
// What an instructor holds: the choice of a run, the step buttons, the filter, the timeline, the rate chart,
// the record under the cursor with the state before and after, and the list of records.

const ROW = 24;
const HOWS = { fork: 'was started by', signal: 'was told by', packet: 'heard from', data: 'met what was changed by' };

class Viewer {
  constructor(place) {
    this.place = place;
    this.islands = [...place.querySelectorAll('script[type="application/json"]')];
    this.runs = [];
    this.picker = make('select', { 'aria-label': 'Run', onchange: () => this.open(this.picker.selectedIndex) },
      ...this.islands.map((island) => make('option', {}, island.dataset.title)));
    this.body = make('div', { class: 'viewer-body' });
    const label = make('label', { class: 'pick' }, make('span', {}, 'Run '), this.picker);
    place.append(label, this.body);
    place.addEventListener('keydown', (event) => this.key(event));
    const start = this.islands.findIndex((island) => 'first' in island.dataset);
    this.open(Math.max(start, 0));
  }

  // Opens a run at a record, or without one where it is best begun; `ready` is when it is there.
  open(index, record = null) {
    this.picker.selectedIndex = index;
    const run = this.runs[index] ??= unpacked(this.islands[index].textContent);
    if (run instanceof Run) {
      this.show(run, record);
      return this.ready = Promise.resolve(this);
    }
    this.body.replaceChildren(make('p', { class: 'about', role: 'status' }, 'Unpacking the run…'));
    const done = (found) => {
      this.runs[index] = found;
      if (this.picker.selectedIndex === index) this.show(found, record);
      return this;
    };
    const failed = (error) => this.body.replaceChildren(make('p', { class: 'left', role: 'alert' }, `The run cannot be shown: ${error.message}.`));
    return this.ready = run.then(done, failed);
  }

  show(run, record) {
    this.run = run;
    this.cursor = 0;
    this.shown = null; // the indices that pass the filter, or null for all
    this.timeline = new Timeline(run, {
      picked: (i) => { this.go(i); this.focus(); },
      moved: (view) => {
        this.rate?.draw(this.timeline.mode === 'time' ? view : null);
        this.curve?.draw();
      },
    });
    this.curve = run.futures ? new Curve(run, this.timeline, (i) => this.pick(i)) : null;
    this.rate = run.rate ? new Rate(run, (time) => this.jump(time)) : null;
    this.list = new List(this);
    this.state = make('div', { class: 'state', 'aria-live': 'polite', 'aria-atomic': true });
    this.body.replaceChildren(
      make('p', { class: 'about' }, ...coded(run.doc)),
      run.left ? make('p', { class: 'left' }, run.left.replace(/(\d)[\u2009 ](?=\d{3})/g, '$1\u202f')) : '',
      this.toolbar(), this.filterBar(),
      this.rate?.element ?? '', this.curve?.element ?? '', this.timeline.wide, legend(run),
      make('div', { class: 'panes' }, this.state, this.list.element),
    );
    this.timeline.draw();
    this.go(record === null || !run.n ? this.opening() : Math.min(run.after(record), run.n - 1));
  }

  // Where there are thousands of records, the first fault is a better beginning than the first record.
  opening() {
    const { run } = this;
    if (run.n < 2000) return 0;
    for (let i = 0; i < run.n; i++) if (run.tone(i) === 'fault') return i;
    return 0;
  }

  toolbar() {
    const departs = this.run.d.some((decision) => decision[4] !== decision[5]), fault = this.run.tones.has('fault');
    const button = (text, label, act, more = {}) =>
      make('button', { type: 'button', title: label, 'aria-label': label, onclick: act, ...more }, text);
    this.where = make('output', { class: 'where' });
    this.mode = button('', 'Lay records out by virtual time or by their order', () => this.toggleMode());
    this.nameMode();
    return make('div', { class: 'toolbar', role: 'group', 'aria-label': 'Step and zoom' },
      button('|◀', 'First record (Home)', () => this.end(-1), { class: 'first' }),
      button('◀ back', 'Previous record (←)', () => this.step(-1), { class: 'back' }),
      button('next ▶', 'Next record (→)', () => this.step(1), { class: 'next' }),
      button('▶|', 'Last record (End)', () => this.end(1), { class: 'last' }),
      button('▼ choice', 'Next choice that departs from the default (])', () => this.nextChoice(1), { class: 'choice', disabled: !departs }),
      button('◆ fault', 'Next fault (f)', () => this.nextTone('fault'), { class: 'fault', disabled: !fault }),
      this.run.futures?.point != null ? button('no return', 'The point of no return (p)', () => this.noReturn(), { class: 'no-return' }) : null,
      this.where,
      make('span', { class: 'grow' }),
      button('−', 'Zoom out (−)', () => this.timeline.zoom(1.6), { class: 'zoom-out' }),
      button('+', 'Zoom in (+)', () => this.zoomIn(), { class: 'zoom-in' }),
      button('fit', 'Show the whole run (0)', () => this.timeline.fit(), { class: 'fit' }),
      this.mode);
  }

  nameMode() {
    const [now, other] = this.timeline.mode === 'time' ? ['by time', 'by order'] : ['by order', 'by time'];
    this.mode.textContent = now;
    this.mode.title = `Laid out ${now}; change to ${other} (t)`;
    this.mode.setAttribute('aria-label', this.mode.title);
  }
  toggleMode() { this.timeline.setMode(this.timeline.mode === 'time' ? 'order' : 'time'); this.nameMode(); }
  zoomIn() { this.timeline.zoom(0.625, this.run.n ? this.timeline.pos(this.cursor) : undefined); }

  filterBar() {
    this.query = make('input', {
      type: 'search', placeholder: 'filter: words, actors, kinds', 'aria-label': 'Filter records',
      oninput: () => { clearTimeout(this.later); this.later = setTimeout(() => this.filter(), this.run.n > 5000 ? 200 : 0); },
    });
    this.found = make('output', { class: 'found' });
    this.hidden = new Set();
    const counts = new Uint32Array(this.run.kinds.length);
    this.run.kind.forEach((kind) => counts[kind]++);
    const chips = this.run.kinds.map((kind, index) => counts[index] === 0 ? null : make('button', {
      type: 'button', class: 'chip', 'aria-pressed': 'true', title: kind.d,
      onclick: ({ currentTarget: chip }) => {
        const off = this.hidden.delete(index) ? 'true' : (this.hidden.add(index), 'false');
        chip.setAttribute('aria-pressed', off);
        this.filter();
      },
    }, make('i', { class: `dot ${kind.c}` }), `${kind.n} ${grouped(counts[index])}`));
    return make('div', { class: 'filters' }, this.query, this.found, ...chips);
  }

  filter() {
    const { run } = this;
    const words = this.query.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length === 0 && this.hidden.size === 0) {
      [this.shown, this.timeline.mask] = [null, null];
    } else {
      const mask = this.timeline.mask = new Uint8Array(run.n), shown = [];
      for (let i = 0; i < run.n; i++) {
        if (this.hidden.has(run.kind[i])) continue;
        if (words.length) {
          const text = `${run.kindName(i)} ${run.sentence(i)}`.toLowerCase();
          if (!words.every((word) => text.includes(word))) continue;
        }
        mask[i] = 1;
        shown.push(i);
      }
      this.shown = Uint32Array.from(shown);
    }
    this.found.textContent = this.shown ? `${grouped(this.shown.length)} of ${grouped(run.n)}` : '';
    this.list.refresh();
    if (this.shown?.length && !this.timeline.mask[this.cursor]) this.go(this.shown[this.rank(this.cursor)] ?? this.shown[0]);
    else this.timeline.draw();
  }

  count() { return this.shown ? this.shown.length : this.run.n; }
  nth(rank) { return this.shown ? this.shown[rank] : rank; }

  // The place among the shown records of the first that is not before `i`.
  rank(i) {
    if (!this.shown) return i;
    let [low, high] = [0, this.shown.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.shown[middle] < i) low = middle + 1; else high = middle;
    }
    return low;
  }

  step(by) {
    const rank = this.rank(this.cursor);
    const passed = by > 0 && this.count() && this.nth(rank) !== this.cursor ? rank : rank + by;
    if (this.count()) this.go(this.nth(Math.min(Math.max(passed, 0), this.count() - 1)));
  }

  end(side) { if (this.count()) this.go(this.nth(side < 0 ? 0 : this.count() - 1)); }

  jump(time) { this.pick(this.run.firstAt(time)); }

  // Keys go to the run from here on.
  focus() { this.list?.element.focus({ preventScroll: true }); }

  // To a record, or to the first shown one after it.
  pick(i) { if (this.count()) this.go(this.nth(Math.min(this.rank(i), this.count() - 1))); }

  // To the record after which every future fails.
  noReturn() {
    const { futures } = this.run;
    if (futures && futures.point !== null) this.pick(Math.max(this.run.after(futures.points[futures.point][0]) - 1, 0));
  }

  nextChoice(side) {
    const { d } = this.run, frames = d.filter((decision) => decision[4] !== decision[5]).map(([frame]) => frame);
    const found = side > 0 ? frames.find((frame) => frame > this.cursor) ?? frames[0]
      : frames.findLast((frame) => frame < this.cursor) ?? frames[frames.length - 1];
    if (found !== undefined) this.go(Math.min(found, this.run.n - 1));
  }

  nextTone(tone) {
    const { run } = this;
    for (let away = 1; away <= run.n; away++) {
      const i = (this.cursor + away) % run.n;
      if (run.tone(i) === tone) return this.go(i);
    }
  }

  go(i) {
    const { run } = this;
    if (run.n === 0) {
      this.where.textContent = 'this run wrote no record';
      return;
    }
    this.cursor = this.timeline.cursor = i;
    this.where.textContent = `record ${grouped(run.number[i])} of 0..${grouped(run.records - 1)} · ${clock(run.time[i])}`;
    this.timeline.reveal();
    this.list.reveal(i);
    this.state.replaceChildren(...this.tell(i));
  }

  tell(i) {
    const { run } = this, parts = [];
    // Numbers that were drawn are told in a line each, and where there are several they wait to be asked for.
    const decisions = run.decisionsAt.get(i) ?? [], drawn = decisions.filter(({ options }) => !options.length);
    for (const decision of decisions) if (decision.options.length || drawn.length < 3) parts.push(this.tellDecision(decision));
    if (drawn.length > 2) {
      parts.push(make('details', { class: 'drawn' }, make('summary', {}, `▼ ${grouped(drawn.length)} numbers were drawn before it`),
        ...drawn.map((decision) => this.tellDecision(decision))));
    }
    parts.push(make('p', { class: 'sentence' }, make('i', { class: `dot ${run.tone(i)}` }),
      make('b', {}, run.actorName(i)), ' ', ...coded(run.words(i))));
    for (const { from, how } of run.causes(i)) parts.push(make('p', { class: 'cause' }, `${HOWS[how]} `, this.link(from)));
    const effects = run.effects(i);
    if (effects.length) {
      const links = effects.slice(0, 6).flatMap((effect, at) => [at ? ', ' : '', this.link(effect.to)]);
      const more = effects.length > 6 ? ` and ${grouped(effects.length - 6)} more` : '';
      parts.push(make('p', { class: 'cause' }, 'brings about ', ...links, more));
    }
    if (this.curve) {
      const [after, before] = this.curve.tell(i);
      const was = before === null || before === after ? '' : ` (before it: ${before})`;
      parts.push(make('p', { class: 'cause' }, `After it, ${after} of the futures still fail${was}.`));
    }
    const touched = run.touched(i);
    if (touched.length) parts.push(stateTable(touched));
    const rows = run.fields(i).map(([name, value]) =>
      make('tr', {}, make('th', { scope: 'row' }, name), make('td', {}, value ?? '')));
    parts.push(make('details', { class: 'fields' }, make('summary', {}, `fields of ${run.kindName(i)}`),
      make('p', {}, run.kinds[run.kind[i]].d), make('table', {}, ...rows)));
    return parts;
  }

  link(i) {
    return make('button', { type: 'button', class: 'link', onclick: () => this.go(i) },
      `record ${grouped(this.run.number[i])}: `, ...coded(this.run.sentence(i)));
  }

  tellDecision(decision) {
    const options = decision.options.map((option) => make('li', { class: option === decision.take ? 'taken' : '' },
      option === decision.take ? `✓ ${option}` : option, option === decision.standard ? ' (default)' : ''));
    const said = decision.options.length ? '' : `: ${grouped(decision.take)}, out of ${grouped(decision.count)}`;
    return make('div', { class: decision.departs ? 'decision departs' : 'decision' },
      make('p', {}, '▼ ', ...coded(decision.place), said), options.length ? make('ul', {}, ...options) : null);
  }

  key(event) {
    const typing = event.target.matches('input, select, textarea');
    if (event.key === 'Escape' && typing) return event.target.blur();
    if (typing || event.altKey || event.ctrlKey || event.metaKey) return;
    const acts = {
      ArrowRight: () => this.step(1), ArrowLeft: () => this.step(-1), j: () => this.step(1), k: () => this.step(-1),
      ArrowDown: () => this.step(1), ArrowUp: () => this.step(-1),
      PageDown: () => this.step(20), PageUp: () => this.step(-20),
      Home: () => this.end(-1), End: () => this.end(1),
      '+': () => this.zoomIn(), '=': () => this.zoomIn(), '-': () => this.timeline.zoom(1.6), 0: () => this.timeline.fit(),
      ']': () => this.nextChoice(1), '[': () => this.nextChoice(-1), f: () => this.nextTone('fault'), p: () => this.noReturn(),
      c: () => { const [cause] = this.run.causes(this.cursor); if (cause) this.go(cause.from); },
      t: () => this.toggleMode(), '/': () => this.query.focus(),
    };
    const act = acts[event.key];
    if (!act || (event.target.closest('button, summary') && [' ', 'Enter'].includes(event.key))) return;
    event.preventDefault();
    act();
  }
}

// What the record touched: what it was, and what it is. The part that differs is marked.
function stateTable(touched) {
  const rows = touched.map(({ what, before, after }) => {
    const cell = (text, other, label) => make('td', { 'data-label': label }, ...marked(text, other, label));
    const changed = before !== after;
    return make('tr', { class: changed ? 'changed' : '' }, make('th', { scope: 'row' }, what),
      ...(changed ? [cell(before, after, 'before'), cell(after, before, 'after')]
        : [make('td', { colspan: 2, 'data-label': 'unchanged' }, before ?? 'not there')]));
  });
  const head = make('tr', {}, ...['state', 'before', 'after'].map((text) => make('th', { scope: 'col' }, text)));
  return make('table', { class: 'touched' }, make('thead', {}, head), make('tbody', {}, ...rows));
}

function marked(text, other, label) {
  if (text === null) return [make('em', {}, 'not there')];
  if (other === null) return [make(label === 'before' ? 'del' : 'ins', {}, text)];
  let [start, end] = [0, 0];
  const most = Math.min(text.length, other.length);
  while (start < most && text[start] === other[start]) start++;
  while (end < most - start && text[text.length - 1 - end] === other[other.length - 1 - end]) end++;
  const middle = text.slice(start, text.length - end);
  return [text.slice(0, start), middle && make(label === 'before' ? 'del' : 'ins', {}, middle), text.slice(text.length - end)];
}

function legend(run) {
  const tones = { fault: 'fault', bad: 'error, reset, refusal', change: 'changes something', life: 'begins or ends', look: 'looks', say: 'says, goes on' };
  const hows = new Set([...run.causesOf.values()].flat().map(({ how }) => how));
  const names = { fork: 'start', signal: 'signal', packet: 'packet', data: 'meets a change' };
  return make('p', { class: 'legend' },
    ...Object.entries(tones).filter(([tone]) => run.tones.has(tone)).map(([tone, text]) =>
      make('span', {}, make('i', { class: `dot ${tone}` }), text)),
    ...[...hows].map((how) => make('span', {}, make('i', { class: `arrow ${how}` }), names[how])),
    run.d.some((decision) => decision[4] !== decision[5])
      ? make('span', {}, make('i', { class: 'dot departure' }), 'a choice that departs from the default') : null);
}

// The list of records: only the rows in view are there, whatever the length of the run.
class List {
  constructor(viewer) {
    this.viewer = viewer;
    this.rows = make('div', { class: 'rows' });
    this.element = make('div', {
      class: viewer.run.at ? 'list' : 'list timeless', role: 'listbox', tabindex: 0, 'aria-label': 'Records', onscroll: () => this.draw(),
      onclick: (event) => {
        const row = event.target.closest('[data-i]');
        if (row) viewer.go(Number(row.dataset.i));
      },
    }, this.rows);
    this.refresh();
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  refresh() {
    // Browsers cap the height of an element: longer lists scroll in proportion.
    this.scale = Math.min(1, 8e6 / Math.max(this.viewer.count() * ROW, 1));
    this.rows.style.height = `${this.viewer.count() * ROW * this.scale}px`;
    this.element.style.height = `min(420px, ${Math.max(this.viewer.count(), 1) * ROW + 18}px)`;
    this.draw();
  }

  reveal(i) {
    const top = this.viewer.rank(i) * ROW * this.scale, { scrollTop, clientHeight } = this.element;
    if (top < scrollTop || top + ROW > scrollTop + clientHeight) this.element.scrollTop = top - clientHeight / 2;
    this.draw();
  }

  draw() {
    const { viewer, element } = this, { run } = viewer;
    const first = Math.max(Math.floor(element.scrollTop / ROW / this.scale) - 4, 0);
    const last = Math.min(viewer.count(), first + Math.ceil(element.clientHeight / ROW) + 10);
    const rows = [];
    for (let rank = first; rank < last; rank++) {
      const i = viewer.nth(rank), current = i === viewer.cursor;
      const departs = run.decisionsAt.get(i)?.some((decision) => decision.departs);
      const row = make('div', {
        class: `row${current ? ' current' : ''}`, role: 'option', 'data-i': i, 'aria-selected': String(current),
        'aria-posinset': rank + 1, 'aria-setsize': viewer.count(), id: `${viewer.place.id}-row-${i}`,
      }, make('span', { class: 'number' }, grouped(run.number[i])), make('span', { class: 'at' }, clock(run.time[i])), make('i', { class: `dot ${run.tone(i)}` }),
      departs ? make('b', { class: 'fork-mark', title: 'after a choice that departs from the default' }, '▼') : '',
      make('b', {}, run.actorName(i)), make('span', {}, ' ', ...coded(run.words(i))));
      row.style.top = `${element.scrollTop - (element.scrollTop / this.scale - rank * ROW)}px`;
      if (this.scale === 1) row.style.top = `${rank * ROW}px`;
      rows.push(row);
    }
    this.rows.replaceChildren(...rows);
    element.setAttribute('aria-activedescendant', `${viewer.place.id}-row-${viewer.cursor}`);
  }
}
