// The curves of the chosen channels over time, and the strip above them with the sound's wave.
//
// new Timeline(elements, player): elements {overview, lanes, tip}. show({clips, peaks, peaksPerS})
// draws them; lanes = [channel ...] chooses. moveTo(time_s) moves the play head only, which costs
// no drawing. 'lanes' is its event for a change of the chosen channels.

class Timeline extends EventTarget {
  constructor({overview, lanes, tip}, player) {
    super();
    this.player = player;
    this.overview = overview;
    this.box = lanes;
    this.inside = lanes.querySelector('.inside');
    this.canvas = this.inside.querySelector('canvas');
    this.labels = lanes.querySelector('.labels');
    this.tip = tip;
    this.clips = [];
    this.peaks = null;
    this.peaksPerS = 50;
    this.lanes = [];
    this.from_s = 0;
    this.to_s = 1;
    this.hover_s = null;
    this.labelled_s = -1;
    this.labelsShow = null;
    new ResizeObserver(() => this.draw()).observe(this.box);
    new ResizeObserver(() => this.draw()).observe(this.overview);
    this._listen();
  }

  show({clips, peaks, peaksPerS}) {
    this.clips = clips;
    this.peaks = peaks;
    this.peaksPerS = peaksPerS;
    this.zoomAll();
  }

  setLanes(lanes) {
    this.lanes = lanes;
    this.draw();
    this.dispatchEvent(new Event('lanes'));
  }

  // ---- the stretch of time that is shown

  get span_s() { return this.to_s - this.from_s; }

  zoomAll() {
    this._showStretch(0, this.player.duration_s || 1);
  }

  // What came last, at the right edge; before span_s have come they fill from the left.
  follow(time_s, span_s) {
    this.to_s = Math.max(time_s, this.clips[0].times_s[0] + span_s);
    this.from_s = this.to_s - span_s;
    this._drawLanes();
    this.moveTo(time_s, true);
  }

  zoom(factor, at_s = this.player.time()) {
    if (at_s < this.from_s || at_s > this.to_s) at_s = (this.from_s + this.to_s) / 2;
    const span_s = Math.min(Math.max(this.span_s / factor, 0.25), this.player.duration_s || 1);
    const from_s = at_s - (at_s - this.from_s) * span_s / this.span_s;
    this._showStretch(from_s, from_s + span_s);
  }

  _showStretch(from_s, to_s) {
    const whole_s = this.player.duration_s || 1, span_s = Math.min(to_s - from_s, whole_s);
    this.from_s = Math.min(Math.max(0, from_s), whole_s - span_s);
    this.to_s = this.from_s + span_s;
    this.draw();
  }

  // ---- drawing

  draw() {
    this.colours = {};
    const style = getComputedStyle(document.documentElement);
    for (const name of ['ink', 'muted', 'faint', 'line', 'wave', 'accent', 'other']) {
      this.colours[name] = style.getPropertyValue('--' + name).trim();
    }
    this._drawOverview();
    this._drawLanes();
    this.placeRegions();
    this.moveTo(this.player.time(), true);
  }

  _drawOverview() {
    const [context, width, height] = fitted(this.overview.querySelector('canvas'));
    if (!width) return;
    const whole_s = this.player.duration_s || 1, middle = height / 2;
    context.fillStyle = this.colours.wave;
    const step = 3, wide = 2;
    for (let x = 0; x < width; x += step) {
      const level = this._levelBetween(x / width * whole_s, (x + step) / width * whole_s);
      const tall = Math.max(1.5, level * (height - 10));
      context.beginPath();
      context.roundRect(x, middle - tall / 2, wide, tall, 1);
      context.fill();
    }
    const isWhole = this.span_s > whole_s - 1e-6, frame = this.overview.querySelector('.window');
    frame.hidden = isWhole;
    frame.style.left = `${100 * this.from_s / whole_s}%`;
    frame.style.width = `${100 * this.span_s / whole_s}%`;
  }

  _levelBetween(from_s, to_s) {
    // Of the sound, 0..1; of a silent page, how far the jaw is open.
    if (this.peaks) {
      const first = Math.floor(from_s * this.peaksPerS);
      const end = Math.max(first + 1, Math.ceil(to_s * this.peaksPerS));
      let most = 0;
      for (const peak of this.peaks.subarray(first, end)) most = Math.max(most, peak);
      return most / 255;
    }
    if (!this.clips.length) return 0;
    return valueAt(this.clips[0], 'jawOpen', (from_s + to_s) / 2) || 0;
  }

  _drawLanes() {
    const tall = this.laneHeight = window.innerHeight < 700 ? 38 : 48, axis = this.axis = 20;
    const count = Math.max(1, this.lanes.length), height = axis + count * tall;
    this.inside.style.height = this.canvas.style.height = `${height}px`;
    const [context, width] = fitted(this.canvas);
    if (!width) return;
    this._drawAxis(context, width, height);
    const tops = [];
    this.lanes.forEach((channel, lane) => {
      const curves = this.clips.map(clip => curveOf(clip, channel));
      let most = 0;
      for (const curve of curves) most = Math.max(most, highestOf(curve));
      const top = [0.1, 0.25, 0.5, 1].find(one => most <= one + 1e-6) || 1;
      const bottom_y = axis + (lane + 1) * tall - 4, high = tall - 12;
      context.strokeStyle = this.colours.line;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(0, bottom_y + .5);
      context.lineTo(width, bottom_y + .5);
      context.stroke();
      const paths = this.clips.map(clip => this._path(clip, channel, width, bottom_y, high / top));
      if (paths[1] && paths[0]) this._fillBetween(context, paths);
      else if (paths[0]) this._fillUnder(context, paths[0], bottom_y);
      if (paths[1]) strokePath(context, paths[1], this.colours.other, 1.4);
      if (paths[0]) strokePath(context, paths[0], this.colours.accent, 1.7);
      tops.push(top);
    });
    this._labelLanes(tops);
  }

  _labelLanes(tops) {
    const shown = [this.lanes, tops, this.laneHeight, this.clips.length].join(' ');
    if (shown === this.labelsShow) return;              // live, they seldom change
    this.labelsShow = shown;
    this.labels.textContent = '';
    this.lanes.forEach((channel, lane) => this._label(channel, lane, tops[lane]));
    this.labelled_s = -1;
    if (!this.lanes.length) {
      const note = document.createElement('div');
      note.className = 'note';
      note.textContent = 'Choose channels in the list to see their curves.';
      note.style.top = `${this.axis + 8}px`;
      this.labels.append(note);
    }
  }

  _drawAxis(context, width, height) {
    const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];
    const step = steps.find(one => one / this.span_s * width > 74) || 3600;
    context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    context.fillStyle = this.colours.muted;
    context.strokeStyle = this.colours.line;
    context.lineWidth = 1;
    for (let i = Math.ceil(this.from_s / step); i * step <= this.to_s + 1e-9; i++) {
      const x = Math.round((i * step - this.from_s) / this.span_s * width) + .5;
      context.globalAlpha = .7;
      context.beginPath();
      context.moveTo(x, 16);
      context.lineTo(x, height);
      context.stroke();
      context.globalAlpha = 1;
      const text = clockText(i * step, step < 0.1 ? 2 : step < 1 ? 1 : 0);
      const wide = context.measureText(text).width;
      context.fillText(text, Math.min(Math.max(0, x - wide / 2), width - wide), 11);
    }
  }

  _path(clip, channel, width, bottom_y, scale) {
    // [x, y, x, y ...] of a curve; where frames stand closer than points, its extremes.
    const curve = curveOf(clip, channel);
    if (!curve) return null;
    const times_s = clip.times_s, perS = width / this.span_s, points = [];
    let first = Math.max(0, frameAt(times_s, this.from_s) - 1);
    const last = Math.min(times_s.length - 1, frameAt(times_s, this.to_s) + 1);
    const stride = Math.max(1, Math.floor((last - first) / (width * 1.5)));
    first -= first % stride;                            // the same groups wherever the view stands
    for (let i = first; i <= last; i += stride) {
      if (stride < 2) {
        points.push((times_s[i] - this.from_s) * perS, bottom_y - curve[i] * scale);
        continue;
      }
      let low = i, high = i;
      for (let j = i; j < Math.min(i + stride, last + 1); j++) {
        if (curve[j] < curve[low]) low = j;
        if (curve[j] > curve[high]) high = j;
      }
      for (const j of low < high ? [low, high] : [high, low]) {
        points.push((times_s[j] - this.from_s) * perS, bottom_y - curve[j] * scale);
      }
    }
    if (last === times_s.length - 1) {                  // the last pose is held
      points.push((clipEnd(clip) - this.from_s) * perS, points[points.length - 1]);
    }
    return points;
  }

  _fillUnder(context, path, bottom_y) {
    context.globalAlpha = .12;
    context.fillStyle = this.colours.accent;
    context.beginPath();
    context.moveTo(path[0], bottom_y);
    for (let i = 0; i < path.length; i += 2) context.lineTo(path[i], path[i + 1]);
    context.lineTo(path[path.length - 2], bottom_y);
    context.fill();
    context.globalAlpha = 1;
  }

  _fillBetween(context, [first, second]) {
    // The difference of two takes.
    context.globalAlpha = .16;
    context.fillStyle = this.colours.ink;
    context.beginPath();
    for (let i = 0; i < first.length; i += 2) context.lineTo(first[i], first[i + 1]);
    for (let i = second.length - 2; i >= 0; i -= 2) context.lineTo(second[i], second[i + 1]);
    context.fill();
    context.globalAlpha = 1;
  }

  _label(channel, lane, top) {
    const label = document.createElement('div');
    label.style.top = `${this.axis + lane * this.laneHeight}px`;
    label.style.height = `${this.laneHeight}px`;
    const name = document.createElement('b'), a = document.createElement('span');
    const b = document.createElement('span'), scale = document.createElement('em');
    name.textContent = channel;
    a.className = 'a';
    b.className = 'b';
    name.title = `${channel}, drawn from 0 to ${top}`;
    scale.textContent = String(top);
    label.append(name, scale, a, b);
    this.labels.append(label);
  }

  placeRegions() {
    const region = this.player.region, whole_s = this.player.duration_s || 1;
    const place = (element, from_s, span_s) => {
      element.hidden = !region;
      if (!region) return;
      element.style.left = `${100 * (region[0] - from_s) / span_s}%`;
      element.style.width = `${100 * (region[1] - region[0]) / span_s}%`;
    };
    place(this.overview.querySelector('.region'), 0, whole_s);
    place(this.inside.querySelector('.region'), this.from_s, this.span_s);
  }

  moveTo(time_s, force = false) {
    const whole_s = this.player.duration_s || 1;
    if (this.player.isPlaying && this.span_s < whole_s - 1e-6 &&
        (time_s > this.to_s - 0.02 * this.span_s || time_s < this.from_s)) {
      this._showStretch(time_s - 0.05 * this.span_s, time_s + 0.95 * this.span_s);
      return;
    }
    const wide = this.overview.clientWidth;
    this.overview.querySelector('.head').style.transform =
      `translateX(${(wide * time_s / whole_s).toFixed(2)}px)`;
    const head = this.inside.querySelector('.head');
    const share = (time_s - this.from_s) / this.span_s;
    head.hidden = share < 0 || share > 1;
    head.style.transform = `translateX(${(this.inside.clientWidth * share).toFixed(2)}px)`;
    const shown_s = this.hover_s === null ? time_s : this.hover_s;
    if (force || Math.abs(shown_s - this.labelled_s) > 0.04) this._labelValues(shown_s);
  }

  _labelValues(time_s) {
    this.labelled_s = time_s;
    this.lanes.forEach((channel, lane) => {
      const label = this.labels.children[lane];
      if (!label) return;
      this.clips.forEach((clip, i) => {
        const value = valueAt(clip, channel, time_s);
        label.children[i + 2].textContent = value === null ? '\u2013' : value.toFixed(2);
      });
    });
  }

  // ---- the pointer

  _timeAt(event, element, from_s, span_s) {
    const box = element.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return from_s + share * span_s;
  }

  _listen() {
    this._scrub(this.overview, event =>
      this._timeAt(event, this.overview, 0, this.player.duration_s));
    this._scrub(this.inside, event =>
      this._timeAt(event, this.inside, this.from_s, this.span_s));
    this.inside.addEventListener('pointermove', event => this._hover(event));
    this.inside.addEventListener('pointerleave', () => this._endHover());
    this.box.addEventListener('wheel', event => {
      if (event.ctrlKey || event.altKey || event.metaKey) {
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY * 0.004),
          this._timeAt(event, this.inside, this.from_s, this.span_s));
      } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        const moved_s = event.deltaX / this.inside.clientWidth * this.span_s;
        this._showStretch(this.from_s + moved_s, this.to_s + moved_s);
      }
    }, {passive: false});
  }

  _scrub(element, timeOf) {
    let held = null;
    element.addEventListener('pointerdown', event => {
      if (event.button > 0) return;
      held = {time_s: timeOf(event), isChoosing: event.shiftKey, was: this.player.isPlaying};
      element.setPointerCapture(event.pointerId);
      if (!held.isChoosing) {
        this.player.pause();
        this.player.seek(held.time_s);
      }
    });
    element.addEventListener('pointermove', event => {
      if (!held) return;
      const time_s = timeOf(event);
      if (!held.isChoosing) this.player.seek(time_s);
      else if (Math.abs(time_s - held.time_s) > 0.02) {
        this.player.setRegion([Math.min(time_s, held.time_s), Math.max(time_s, held.time_s)]);
      }
    });
    for (const end of ['pointerup', 'pointercancel']) {
      element.addEventListener(end, () => {
        if (held && !held.isChoosing && held.was) this.player.play();
        held = null;
      });
    }
  }

  _hover(event) {
    const lane = Math.floor((event.clientY - this.inside.getBoundingClientRect().top - this.axis) /
      this.laneHeight);
    const channel = this.lanes[lane];
    this.hover_s = this._timeAt(event, this.inside, this.from_s, this.span_s);
    const hair = this.inside.querySelector('.hair');
    hair.hidden = false;
    hair.style.transform =
      `translateX(${this.inside.clientWidth * (this.hover_s - this.from_s) / this.span_s}px)`;
    this._labelValues(this.hover_s);
    this.tip.hidden = !channel || event.pointerType === 'touch';
    if (this.tip.hidden) return;
    this.tip.textContent = '';
    const line = (name, value, kind) => {
      const row = document.createElement('div'), left = document.createElement(kind || 'span');
      const right = document.createElement('span');
      left.textContent = name;
      right.textContent = value;
      row.append(left, right);
      if (!kind) row.className = 'dim';
      this.tip.append(row);
    };
    const values = this.clips.map(clip => valueAt(clip, channel, this.hover_s));
    const shown = value => value === null ? '\u2013' : value.toFixed(3);
    if (values.length < 2) line(channel, shown(values[0]), 'b');
    else {
      line(channel, '', 'b');
      this.clips.forEach((clip, i) => line(short(clip.name), shown(values[i])));
      if (values[0] !== null && values[1] !== null) {
        const difference = values[0] - values[1];
        line('difference', (difference < 0 ? '\u2212' : '+') + Math.abs(difference).toFixed(3));
      }
    }
    line('at', clockText(this.hover_s, 2) + ' s');
    const box = this.tip.getBoundingClientRect();
    const x = Math.min(event.clientX + 14, window.innerWidth - box.width - 8);
    const y = Math.max(8, event.clientY - box.height - 14);
    this.tip.style.transform = `translate(${x}px, ${y}px)`;
  }

  _endHover() {
    this.hover_s = null;
    this.tip.hidden = true;
    this.inside.querySelector('.hair').hidden = true;
    this._labelValues(this.player.time());
  }
}

function short(name) {
  return name.length > 22 ? name.slice(0, 12) + '\u2026' + name.slice(-9) : name;
}

function clockText(time_s, places) {
  // m:ss, with so many decimals; from an hour on h:mm:ss.
  const unit = 10 ** places, ticks = Math.round(time_s * unit), s = Math.floor(ticks / unit);
  const hours = Math.floor(s / 3600), minutes = Math.floor(s / 60) % 60;
  const text = (hours ? `${hours}:${String(minutes).padStart(2, '0')}` : `${minutes}`) +
    ':' + String(s % 60).padStart(2, '0');
  return places ? text + '.' + String(ticks % unit).padStart(places, '0') : text;
}

function fitted(canvas) {
  // [context, width, height] in CSS pixels, at the screen's own resolution, cleared.
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const context = canvas.getContext('2d'), ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return [context, width, height];
}

function highestOf(curve) {
  let most = 0;
  for (const value of curve || []) if (value > most) most = value;
  return most;
}

function strokePath(context, path, colour, thickness) {
  context.strokeStyle = colour;
  context.lineWidth = thickness;
  context.lineJoin = 'round';
  context.beginPath();
  for (let i = 0; i < path.length; i += 2) context.lineTo(path[i], path[i + 1]);
  context.stroke();
}

function sparkline(curves, kinds) {
  // An <svg> of whole curves, from 0 to the largest of their values; kinds: a class for each.
  const name = 'http://www.w3.org/2000/svg', picture = document.createElementNS(name, 'svg');
  picture.setAttribute('viewBox', '0 0 100 22');
  picture.setAttribute('preserveAspectRatio', 'none');
  picture.setAttribute('aria-hidden', 'true');
  picture.setAttribute('class', 'spark');
  const most = curves.reduce((high, curve) => Math.max(high, highestOf(curve)), 0.02);
  curves.forEach((curve, place) => {
    if (!curve) return;
    const points = Math.min(curve.length, 80);
    let path = '';
    for (let i = 0; i < points; i++) {
      const first = Math.floor(i * curve.length / points);
      const end = Math.max(first + 1, Math.floor((i + 1) * curve.length / points));
      const high = highestOf(curve.subarray(first, end));
      path += `${i ? 'L' : 'M'}${(i / Math.max(1, points - 1) * 100).toFixed(1)} ` +
        (20 - high / most * 17).toFixed(1);
    }
    const line = document.createElementNS(name, 'path');
    line.setAttribute('d', path);
    line.setAttribute('class', kinds[place]);
    picture.append(line);
  });
  return picture;
}
