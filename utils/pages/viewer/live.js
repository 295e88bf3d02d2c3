// A face that comes as it is spoken, over the WebSocket of the server that gave this page.
//
// new LiveTake(audio) stands in the place of a Player: its time is that of the last frame, which
// is `clip`'s last; nobody moves it. Its events: 'begin' (the first frame of a run, or after a
// reset), 'state'. state is one of STATES; the messages are described in docs/live.md.

const LIVE_STATES = {
  waiting: 'Waiting for run_live.py',
  live: 'Live',
  lost: 'The connection is lost; trying again',
  ended: 'The source has ended; waiting for the next one',
};

class LiveTake extends Player {
  static KEEP_S = 8;                    // the curves show so much
  static RETRY_MS = 1000;

  constructor(audio) {
    super(audio);
    this.isLive = true;
    this.state = 'waiting';
    this.clip = null;                   // of the last seconds; null before the first frame
    this.frame = -1;                    // its number
    this.numMissed = 0;                 // frames that did not come
    this.drawn_ms = 0;                  // from a frame's coming to its picture, on average
    this._start = null;                 // the server's greeting
    this._came_ms = 0;
    this._isNew = true;                 // the next frame begins the curves anew
    this._connect();
  }

  get facts() {
    if (this.state !== 'live' || !this._start) return LIVE_STATES[this.state];
    const {fps, latency_s} = this._start;
    const latency_ms = Math.round(1000 * latency_s + this.drawn_ms);
    return `Live  \u00b7  ${fps} frames a second  \u00b7  ${latency_ms} ms from sound to picture` +
      (this.numMissed ? `  \u00b7  ${this.numMissed} frames missed` : '');
  }

  // The page says when it has drawn what came last.
  drawn() {
    if (!this._came_ms) return;
    this.drawn_ms += 0.1 * (performance.now() - this._came_ms - this.drawn_ms);
    this._came_ms = 0;
  }

  time() { return this.clip ? this.clip.times_s[this.clip.times_s.length - 1] : 0; }
  tick() { return this.time(); }
  play() {}
  seek() {}
  setRegion() {}

  _connect() {
    const socket = new WebSocket(`ws://${location.host}/`);
    socket.addEventListener('message', event => this._take(JSON.parse(event.data)));
    socket.addEventListener('close', () => {
      if (this.state === 'live') this._be('lost');
      setTimeout(() => this._connect(), LiveTake.RETRY_MS);
    });
  }

  _be(state) {
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }

  _take(message) {
    if (message.type === 'start') {
      this._start = message;
      this.frame = -1;
      this.numMissed = 0;
      this._isNew = true;
      this._be('live');
    } else if (message.type === 'frame') this._add(message);
    else if (message.type === 'reset') this._isNew = true;
    else if (message.type === 'end') this._be('ended');
  }

  _add({frame, time_s, weights}) {
    const begins = this._isNew;
    if (begins) this._makeRoom();
    if (this.frame >= 0) this.numMissed += Math.max(0, frame - this.frame - 1);
    this.frame = frame;
    this._came_ms = performance.now();
    const most = this._times_s.length;
    if (this._length === most) {                        // full: the later half is kept
      this._length = most >> 1;
      for (const one of [this._times_s, ...this._curves]) one.copyWithin(0, most - this._length);
    }
    this._times_s[this._length] = time_s;
    this._curves.forEach((curve, i) => { curve[this._length] = weights[i]; });
    this._length += 1;
    this.clip.times_s = this._times_s.subarray(0, this._length);
    this.clip.curves = this._curves.map(curve => curve.subarray(0, this._length));
    if (begins) this.dispatchEvent(new Event('begin'));
  }

  _makeRoom() {
    const {names, fps, subject} = this._start, most = 2 * Math.ceil(LiveTake.KEEP_S * fps + 2);
    this._isNew = false;
    this._length = 0;
    this._times_s = new Float64Array(most);
    this._curves = names.map(() => new Float32Array(most));
    this.clip = makeClip(subject, this._times_s, names, this._curves);
  }
}
