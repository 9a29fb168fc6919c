'use strict';
// Charts beside the timeline: how many records there were when, and how many futures still failed.

// How many records of a kind there are in each part of the whole run, also of those that are not listed.
class Rate {
  constructor(run, picked) {
    this.run = run;
    const { rate } = run;
    this.names = Object.keys(rate.counts);
    this.select = make('select', { 'aria-label': 'What the chart counts', onchange: () => this.draw() },
      ...this.names.map((name) => make('option', {}, name)));
    this.select.value = rate.first;
    this.canvas = make('canvas', { role: 'img', height: 90, onclick: (event) => {
      const box = this.canvas.getBoundingClientRect();
      picked((event.clientX - box.left - 4) / (box.width - 8) * rate.step * rate.buckets);
    } });
    this.peak = make('span', { class: 'peak' });
    this.element = make('figure', { class: 'rate' },
      make('figcaption', {}, this.select, ' a second, over the whole run ', this.peak), this.canvas);
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  draw(view = this.view) {
    this.view = view;
    const { rate } = this.run, counts = rate.counts[this.select.value], shades = colors();
    const wide = this.element.clientWidth, high = 90, ratio = window.devicePixelRatio || 1;
    if (!wide) return;
    Object.assign(this.canvas, { width: wide * ratio, height: high * ratio });
    this.canvas.style.width = `${wide}px`;
    this.canvas.style.height = `${high}px`;
    const pen = this.canvas.getContext('2d');
    pen.scale(ratio, ratio);
    const most = Math.max(...counts, 1), each = (wide - 8) / rate.buckets;
    const second = (count) => grouped(Math.round(count * 1e9 / rate.step));
    const summit = counts.indexOf(most);
    this.peak.textContent = summit < 0 ? '· none' : `· at most ${second(most)}, at ${clock(summit * rate.step)}`;
    this.canvas.setAttribute('aria-label', `${this.select.value} a second ${this.peak.textContent}`);
    if (view) {
      const end = rate.step * rate.buckets, x = (time) => 4 + Math.min(Math.max(time / end, 0), 1) * (wide - 8);
      pen.fillStyle = shades.stripe;
      pen.fillRect(x(view[0]), 0, x(view[1]) - x(view[0]), high - 14);
      pen.strokeStyle = shades.accent;
      pen.strokeRect(x(view[0]) + 0.5, 0.5, x(view[1]) - x(view[0]) - 1, high - 15);
    }
    pen.fillStyle = shades[rate.tones[this.select.value]] ?? shades.accent;
    counts.forEach((count, at) => {
      const tall = count / most * (high - 22);
      if (count) pen.fillRect(4 + at * each, high - 14 - Math.max(tall, 1.5), Math.max(each - 0.5, 0.7), Math.max(tall, 1.5));
    });
    pen.fillStyle = shades.faint;
    pen.font = '11px system-ui, sans-serif';
    const span = rate.step * rate.buckets, step = round(span / 6);
    for (let tick = 0; tick <= span; tick += step) {
      pen.textAlign = tick === 0 ? 'left' : 'center';
      const x = 4 + tick / span * (wide - 8);
      if (x < wide - 16) pen.fillText(ticked(tick, step), x, high - 2);
    }
  }
}

// The share of futures that fail, from record to record: a curve over the timeline's own axis.
class Curve {
  constructor(run, timeline, picked) {
    this.run = run;
    this.timeline = timeline;
    const { futures } = run;
    this.canvas = make('canvas', {
      role: 'img', 'aria-label': `The share of futures that fail, along the run. ${futures.verdict}`,
      onclick: (event) => {
        const at = timeline.at(event.clientX - this.canvas.getBoundingClientRect().left);
        picked(Math.max(timeline.mode === 'time' ? run.firstAt(at) : Math.round(at), 0));
      },
    });
    this.element = make('figure', { class: 'curve' },
      make('figcaption', { title: futures.rests_on }, 'Futures that still fail. ', ...coded(futures.verdict)), this.canvas);
    // Where each point stands: at its record, or between records if it wrote none.
    this.places = futures.points.map(([records, wrote, time]) => {
      const after = run.after(records);
      return { time, order: wrote ? after - 1 : after - 0.5 };
    });
  }

  // After the record `i`: the index of the last point that is not later, -1 before all.
  after(i) {
    const { points } = this.run.futures, records = this.run.number[i] + 1;
    let [low, high] = [0, points.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle][0] <= records) low = middle + 1; else high = middle;
    }
    return low - 1;
  }

  share(at) {
    const { start, points } = this.run.futures;
    return at < 0 ? start : points[at][3];
  }

  // The share after a record, and what it was before the record: of a long run, where it was last looked at.
  tell(i) {
    const { points } = this.run.futures, at = this.after(i);
    const [, after] = this.share(at);
    const [, before] = this.share(i > 0 ? this.after(i - 1) : -1);
    if (at < 0 || points[at][0] <= this.run.number[i] && points.length < this.run.records) return [after, null];
    return [after, before];
  }

  draw() {
    const { timeline } = this, high = 92, foot = high - 10, wide = this.element.clientWidth;
    const ratio = window.devicePixelRatio || 1, shades = colors();
    if (!wide || !timeline.width) return;
    Object.assign(this.canvas, { width: wide * ratio, height: high * ratio });
    Object.assign(this.canvas.style, { width: `${wide}px`, height: `${high}px` });
    const pen = this.canvas.getContext('2d'), gutter = timeline.gutter(), right = timeline.width;
    pen.scale(ratio, ratio);
    pen.font = '12px system-ui, sans-serif';
    pen.textBaseline = 'middle';
    const y = (ppm) => foot - ppm / 1e6 * (foot - 10);
    pen.strokeStyle = shades.rule;
    pen.fillStyle = shades.faint;
    for (const percent of [0, 50, 100]) {
      const level = Math.round(y(percent * 1e4)) + 0.5;
      line(pen, gutter, level, right, level);
      pen.textAlign = 'right';
      pen.fillText(`${percent} %`, gutter - 6, level);
    }
    pen.textAlign = 'left';
    pen.save();
    pen.beginPath();
    pen.rect(gutter, 0, right - gutter, high);
    pen.clip();
    const x = (place) => timeline.x(timeline.mode === 'time' ? place.time : place.order);
    const { start, points, point } = this.run.futures;
    const path = new Path2D(), area = new Path2D();
    let [level, end] = [y(start[0]), right];
    path.moveTo(gutter - 2, level);
    area.moveTo(gutter - 2, foot);
    area.lineTo(gutter - 2, level);
    points.forEach(([, , , [ppm]], at) => {
      const here = x(this.places[at]);
      for (const way of [path, area]) { way.lineTo(here, level); way.lineTo(here, y(ppm)); }
      level = y(ppm);
    });
    for (const way of [path, area]) way.lineTo(end, level);
    area.lineTo(end, foot);
    pen.globalAlpha = 0.16;
    pen.fillStyle = shades.fault;
    pen.fill(area);
    pen.globalAlpha = 1;
    pen.strokeStyle = shades.fault;
    pen.lineWidth = 2;
    pen.stroke(path);
    pen.lineWidth = 1;
    if (point !== null) this.mark(pen, x(this.places[point]), shades, gutter, right);
    if (this.run.n) {
      const here = timeline.x(timeline.pos(timeline.cursor));
      const [ppm] = this.share(this.after(timeline.cursor));
      pen.strokeStyle = pen.fillStyle = shades.cursor;
      line(pen, here, 0, here, foot);
      pen.beginPath();
      pen.arc(here, y(ppm), 4, 0, 7);
      pen.fill();
    }
    pen.restore();
  }

  // Where there is no way back.
  mark(pen, x, shades, gutter, right) {
    pen.strokeStyle = pen.fillStyle = shades.fault;
    pen.setLineDash([4, 3]);
    line(pen, x, 0, x, 82);
    pen.setLineDash([]);
    const text = 'no return', room = pen.measureText(text).width + 6;
    pen.textAlign = x - room > gutter ? 'right' : 'left';
    pen.fillText(text, x + (pen.textAlign === 'right' ? -5 : 5), 24);
    pen.textAlign = 'left';
  }
}

function line(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}
