// A clip is a take: the times of its frames and one curve for each channel that it has.
//
// makeClip(name, times_s, channels, curves) -> clip
//   name: what the page calls it, as its file's name
//   times_s: Float64Array [frames], rising from 0; channels: ARKit names [k];
//   curves: k Float32Arrays [frames], 0..1
// Times without a frame lie on the straight line between two frames; the ends are held.
// A plain script: it defines CHANNEL_GROUPS, channelTitle, makeClip, sampleClip, curveOf,
// usualStep, clipEnd, evenCurve, activityOf.

var CHANNEL_GROUPS = [
  {title: 'Jaw', test: name => name.startsWith('jaw')},
  {title: 'Mouth', test: name => name.startsWith('mouth')},
  {title: 'Eyes', test: name => name.startsWith('eye')},
  {title: 'Brows', test: name => name.startsWith('brow')},
  {title: 'Cheeks, nose, tongue', test: () => true},
];

var ALL_CHANNELS = ('jawOpen jawForward jawLeft jawRight mouthClose mouthFunnel mouthPucker ' +
  'mouthLeft mouthRight mouthSmileLeft mouthSmileRight mouthFrownLeft mouthFrownRight ' +
  'mouthDimpleLeft mouthDimpleRight mouthStretchLeft mouthStretchRight mouthRollLower ' +
  'mouthRollUpper mouthShrugLower mouthShrugUpper mouthPressLeft mouthPressRight ' +
  'mouthLowerDownLeft mouthLowerDownRight mouthUpperUpLeft mouthUpperUpRight eyeBlinkLeft ' +
  'eyeBlinkRight eyeLookUpLeft eyeLookUpRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft ' +
  'eyeLookInRight eyeLookOutLeft eyeLookOutRight eyeSquintLeft eyeSquintRight eyeWideLeft ' +
  'eyeWideRight browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight ' +
  'cheekPuff cheekSquintLeft cheekSquintRight noseSneerLeft noseSneerRight tongueOut').split(' ');

function makeClip(name, times_s, channels, curves) {
  return {name, times_s, channels, curves, places: new Map(channels.map((one, i) => [one, i]))};
}

function usualStep(times_s) {
  // The median step in seconds; that of 30 frames a second where there is one frame.
  if (times_s.length < 2) return 1 / 30;
  const steps = new Float64Array(times_s.length - 1);
  for (let i = 0; i < steps.length; i++) steps[i] = times_s[i + 1] - times_s[i];
  steps.sort();
  const middle = steps.length >> 1;
  return steps.length % 2 ? steps[middle] : (steps[middle - 1] + steps[middle]) / 2;
}

function clipEnd(clip) {
  // Where its last frame ends, in seconds.
  return clip.times_s[clip.times_s.length - 1] + usualStep(clip.times_s);
}

function frameAt(times_s, time_s) {
  // The frame at or before a time; 0 before the first.
  let low = 0, high = times_s.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times_s[middle] <= time_s) low = middle; else high = middle - 1;
  }
  return low;
}

function sampleClip(clip, time_s, values) {
  // Fill values [k] with the pose at a time.
  const times_s = clip.times_s, frame = frameAt(times_s, time_s);
  const next = Math.min(frame + 1, times_s.length - 1), gap_s = times_s[next] - times_s[frame];
  const share = gap_s > 0 ? Math.min(1, Math.max(0, (time_s - times_s[frame]) / gap_s)) : 0;
  for (let i = 0; i < clip.curves.length; i++) {
    const curve = clip.curves[i];
    values[i] = curve[frame] + share * (curve[next] - curve[frame]);
  }
  return values;
}

function curveOf(clip, channel) {
  const place = clip.places.get(channel);
  return place === undefined ? null : clip.curves[place];
}

function valueAt(clip, channel, time_s) {
  const curve = curveOf(clip, channel);
  if (!curve) return null;
  const times_s = clip.times_s, frame = frameAt(times_s, time_s);
  const next = Math.min(frame + 1, times_s.length - 1), gap_s = times_s[next] - times_s[frame];
  const share = gap_s > 0 ? Math.min(1, Math.max(0, (time_s - times_s[frame]) / gap_s)) : 0;
  return curve[frame] + share * (curve[next] - curve[frame]);
}

function evenCurve(clip, channel, fps, numFrames) {
  // Float32Array [numFrames] of a channel at i / fps seconds.
  const curve = curveOf(clip, channel), even = new Float32Array(numFrames);
  if (!curve) return even;
  const times_s = clip.times_s, last = times_s.length - 1;
  for (let i = 0, frame = 0; i < numFrames; i++) {
    const time_s = i / fps;
    while (frame < last && times_s[frame + 1] <= time_s) frame++;
    const next = Math.min(frame + 1, last), gap_s = times_s[next] - times_s[frame];
    const share = gap_s > 0 ? Math.min(1, Math.max(0, (time_s - times_s[frame]) / gap_s)) : 0;
    even[i] = curve[frame] * (1 - share) + curve[next] * share;
  }
  return even;
}

function rateText(clip) {
  const rate = 1 / usualStep(clip.times_s);
  const near = [23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60, 120].find(
    usual => Math.abs(usual - rate) < 0.002 * usual / 4) || rate;
  return `${+near.toFixed(2)} fps`;
}

function activityOf(curve) {
  // The deviation of a curve, 0 of one that stands still.
  let sum = 0, squares = 0;
  for (const value of curve) { sum += value; squares += value * value; }
  const mean = sum / curve.length;
  return Math.sqrt(Math.max(0, squares / curve.length - mean * mean));
}
