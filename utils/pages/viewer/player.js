// The clock of the page: the sound's own while it sounds, the machine's where there is none.
//
// new Player(audio): an audio element, with or without a sound. Its events: 'change' (playing,
// rate, loop, region), 'trouble' (a sound that cannot be played). time() is the moment to show, in
// seconds; tick() is called before each picture.

class Player extends EventTarget {
  constructor(audio) {
    super();
    this.audio = audio;
    this.audio.preservesPitch = true;
    this.sound_s = 0;                   // how long the sound lasts; 0 without one
    this.duration_s = 0;
    this.isPlaying = false;
    this.isLooping = true;
    this.rate = 1;
    this.region = null;                 // [from_s, to_s] that is played, null for all
    this._anchor_s = 0;                 // the clock showed this ...
    this._anchor_ms = 0;                // ... at this moment of performance.now()
    this._sounds = false;               // whether the sound drives
    this._heard_s = -1;                 // the sound's clock when it last moved
    this._starts = false;               // play() was called and the sound's clock has not moved yet
  }

  get from_s() { return this.region ? this.region[0] : 0; }

  get to_s() { return this.region ? Math.min(this.region[1], this.duration_s) : this.duration_s; }

  setSound(url, sound_s) {
    this.pause();
    this.sound_s = url ? sound_s : 0;
    if (url) this.audio.src = url; else this.audio.removeAttribute('src');
    this.audio.load();
    this.seek(0);
  }

  setDuration(duration_s) {
    this.duration_s = duration_s;
    this.region = null;
    if (this._anchor_s > duration_s) this.seek(duration_s);
    this._tell();
  }

  time() {
    if (!this.isPlaying) return this._anchor_s;
    const now_ms = performance.now();
    if (this._sounds) {
      const heard_s = this.audio.currentTime;
      if (heard_s !== this._heard_s) {
        this._starts = false;
        // Small steps of the sound's clock are its grain: do not go back for them.
        const expected_s = this._anchor_s + (now_ms - this._anchor_ms) / 1000 * this.rate;
        const isGrain = expected_s > heard_s && expected_s - heard_s < 0.02;
        if (!isGrain) { this._anchor_s = heard_s; this._anchor_ms = now_ms; }
        this._heard_s = heard_s;
        this._heard_ms = now_ms;
      }
      if (this._starts) return this._anchor_s;
      // Where the sound stalls the face waits for it.
      const since_ms = Math.min(now_ms, this._heard_ms + 60) - this._anchor_ms;
      return Math.min(this.sound_s, this._anchor_s + Math.max(0, since_ms) / 1000 * this.rate);
    }
    return this._anchor_s + (now_ms - this._anchor_ms) / 1000 * this.rate;
  }

  // Called before each picture: ends, loops, and passes from the sound to the machine's clock.
  tick() {
    const time_s = this.time();
    if (this.isPlaying && time_s >= this.to_s - 1e-4) {
      if (this.isLooping) this.seek(this.from_s);
      else { this.pause(); this.seek(this.to_s); }
      return this.time();
    }
    if (this.isPlaying && this._sounds && (this.audio.ended || time_s >= this.sound_s - 1e-3)) {
      this._drive(time_s);
    }
    return time_s;
  }

  play() {
    if (this.isPlaying || !this.duration_s) return;
    let time_s = this._anchor_s;
    if (time_s >= this.to_s - 1e-3 || time_s < this.from_s) time_s = this.from_s;
    this.isPlaying = true;
    this._drive(time_s);
    this._tell();
  }

  pause() {
    if (!this.isPlaying) return;
    this._anchor_s = Math.min(this.time(), this.duration_s);
    this.isPlaying = false;
    this._sounds = false;
    this.audio.pause();
    this._tell();
  }

  toggle() {
    if (this.isPlaying) this.pause(); else this.play();
  }

  seek(time_s) {
    time_s = Math.min(Math.max(0, time_s), this.duration_s);
    if (this.isPlaying) this._drive(time_s);
    else {
      this._anchor_s = time_s;
      if (this.sound_s) this.audio.currentTime = Math.min(time_s, this.sound_s);
    }
  }

  setRate(rate) {
    const time_s = this.time();
    this.rate = rate;
    this.audio.defaultPlaybackRate = this.audio.playbackRate = rate;
    this._anchor_s = time_s;
    this._anchor_ms = performance.now();
    this._tell();
  }

  setLooping(isLooping) {
    this.isLooping = isLooping;
    this._tell();
  }

  setRegion(region) {
    this.region = region;
    if (region && (this.time() < region[0] || this.time() > region[1])) this.seek(region[0]);
    this._tell();
  }

  _drive(time_s) {
    // Let the right clock run on from time_s.
    this._anchor_s = time_s;
    this._anchor_ms = this._heard_ms = performance.now();
    this._sounds = this.sound_s > 0 && time_s < this.sound_s - 1e-3;
    if (!this._sounds) { this.audio.pause(); return; }
    if (Math.abs(this.audio.currentTime - time_s) > 1e-3 || this.audio.ended) {
      this.audio.currentTime = time_s;
    }
    this.audio.playbackRate = this.rate;
    this._heard_s = this.audio.currentTime;
    if (this.audio.paused) {
      this._starts = true;
      const promise = this.audio.play();
      if (promise) {
        promise.catch(error => {
          if (error.name === 'AbortError' || !this.isPlaying) return;
          this._sounds = false;                       // the face goes on without its sound
          this._anchor_ms = performance.now();
          this.dispatchEvent(new CustomEvent('trouble', {detail: error.message}));
        });
      }
    } else if (this.audio.seeking) this._starts = true;
  }

  _tell() {
    this.dispatchEvent(new Event('change'));
  }
}
