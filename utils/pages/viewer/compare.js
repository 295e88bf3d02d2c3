// One clip against another, as utils/scoring does it at 30 frames a second: errors, correlations,
// lag and liveliness of what both have. What needs the sound is not computed here.
//
// compareClips(clip, other) -> {seconds, measures: [{name, take, against}],
//                               channels: [{name, mae, r}]}, or null where less than a second
// is common to both. Channels that stand still in `other` are not scored; a channel that `clip`
// lacks stands at 0. A measure without a value is null.

var compareClips = (function () {
  'use strict';

  const FPS = 30, MIN_S = 1, SCORED_DEVIATION = 0.005, STILL_DEVIATION = 1e-4, MAX_LAG_S = 0.34;
  const SIGNAL_CHANNELS = {
    rounding: ['mouthFunnel', 'mouthPucker'],
    spreading: ['mouthSmileLeft', 'mouthSmileRight', 'mouthStretchLeft', 'mouthStretchRight'],
    pressing: ['mouthPressLeft', 'mouthPressRight', 'mouthRollLower', 'mouthRollUpper'],
  };

  function compareClips(clip, other) {
    const numFrames = Math.min(...[clip, other].map(
      one => Math.ceil(Math.round(clipEnd(one) * FPS * 1e6) / 1e6)));
    if (numFrames < MIN_S * FPS) return null;
    const ours = {}, theirs = {};
    for (const name of other.channels) {
      theirs[name] = evenCurve(other, name, FPS, numFrames);
      if (clip.places.has(name)) ours[name] = evenCurve(clip, name, FPS, numFrames);
    }
    const still = new Float32Array(numFrames);
    const scored = ALL_CHANNELS.filter(
      name => theirs[name] && activityOf(theirs[name]) >= SCORED_DEVIATION);
    const channels = scored.map(name => ({
      name, mae: meanError(ours[name] || still, theirs[name]),
      r: correlation(ours[name] || still, theirs[name])}));
    const measures = [];
    const add = (name, take, against) => measures.push({name, take, against});
    const mine = signals(ours, scored), true_ = signals(theirs, scored);
    for (const signal of ['opening', 'rounding', 'spreading', 'pressing']) {
      const goal = true_[signal];
      if (!goal || activityOf(goal) < STILL_DEVIATION) continue;
      const curve = mine[signal] || still;
      add(signal + '_r', correlation(curve, goal), 1);
      const lag = bestLag(curve, goal);
      add(signal + '_lag_ms', lag === null ? null : 1000 * lag, 0);
      add(signal + '_velocity_r', correlation(steps(curve), steps(goal)), 1);
    }
    const mouth = scored.filter(name => /^(jaw|mouth)/.test(name) && ours[name]);
    if (mouth.length) {
      const jerk = curves => mouth.reduce((sum, name) => sum + meanJerk(curves[name]), 0);
      add('mouth_jitter_ratio', jerk(theirs) > 1e-9 ? jerk(ours) / jerk(theirs) : null, 1);
    }
    return {seconds: numFrames / FPS, measures, channels};
  }

  function signals(curves, among) {
    const found = {}, jaw = curves.jawOpen, close = curves.mouthClose;
    if (jaw) found.opening = jaw.map((value, i) => Math.max(0, value - (close ? close[i] : 0)));
    for (const [signal, shapes] of Object.entries(SIGNAL_CHANNELS)) {
      const usable = shapes.filter(name => curves[name] && among.includes(name));
      if (!usable.length) continue;
      found[signal] = curves[usable[0]].map(
        (_, i) => usable.reduce((sum, name) => sum + curves[name][i], 0) / usable.length);
    }
    return found;
  }

  function meanError(first, second) {
    let sum = 0;
    for (let i = 0; i < first.length; i++) sum += Math.abs(first[i] - second[i]);
    return sum / first.length;
  }

  function correlation(first, second) {
    const n = first.length;
    let a = 0, b = 0;
    for (let i = 0; i < n; i++) { a += first[i]; b += second[i]; }
    a /= n;
    b /= n;
    let ab = 0, aa = 0, bb = 0;
    for (let i = 0; i < n; i++) {
      const x = first[i] - a, y = second[i] - b;
      ab += x * y;
      aa += x * x;
      bb += y * y;
    }
    if (Math.sqrt(aa / n) < STILL_DEVIATION || Math.sqrt(bb / n) < STILL_DEVIATION) return null;
    return ab / Math.sqrt(aa * bb);
  }

  function bestLag(ours, goal) {
    // Seconds by which `ours` comes late, where both correlate best.
    const most = Math.floor(MAX_LAG_S * FPS), kept = goal.length - 2 * most;
    if (kept < 2) return null;
    const middle = goal.subarray(most, most + kept);
    let best = null, highest = -2;
    for (let distance = 0; distance <= most; distance++) {
      for (const lag of distance ? [-distance, distance] : [0]) {
        const r = correlation(ours.subarray(most + lag, most + lag + kept), middle);
        if (r !== null && r > highest) { highest = r; best = lag / FPS; }
      }
    }
    return best;
  }

  function steps(curve) {
    return curve.subarray(1).map((value, i) => value - curve[i]);
  }

  function meanJerk(curve) {
    let sum = 0;
    for (let i = 3; i < curve.length; i++) {
      sum += Math.abs(curve[i] - 3 * curve[i - 1] + 3 * curve[i - 2] - curve[i - 3]);
    }
    return sum / (curve.length - 3);
  }

  return compareClips;
})();
