// Runs lip-sync libraries of the browser on whole clips, their own code as npm has it. Loaded by
// tests/measure/peers.py, which has the clips, the versions and what the weights mean.
//
// Each returns {names, frames}: weights [frames][names] at FPS, row i at i / FPS seconds.
// OfflineAudioContext renders faster than real time; a library that reads the clock gets the clock
// of the sound instead.
const FPS = 30, DISPLAY_FPS = 60, RATE_HZ = 48000, QUANTUM = 128;
const START_S = 0.5;            // of silence before the sound, in which a worklet gets ready
const READY_MS = 500;           // to compile its WebAssembly
const LAST_S = 0.1;             // before the end of the sound each worklet has its last message

async function decoded(url) {
  const bytes = await (await fetch(url)).arrayBuffer();
  const sound = await new OfflineAudioContext(1, 1, RATE_HZ).decodeAudioData(bytes);
  return {sound, numFrames: Math.ceil(sound.duration * FPS - 1e-6),
          length: Math.ceil((START_S + sound.duration) * RATE_HZ / QUANTUM) * QUANTUM};
}

function played(context, sound) {
  const source = context.createBufferSource();
  source.buffer = sound;
  source.start(START_S);
  return source;
}

const aMoment = () => new Promise(done => setTimeout(done, READY_MS));

// Renders all, with a stop at the start for the worklet, and waits for its last message.
// times_s: gives the times of the messages so far.
async function rendered(context, times_s) {
  context.suspend(0).then(aMoment).then(() => context.resume());
  await context.startRendering();
  const end_s = context.length / RATE_HZ - LAST_S;
  for (let i = 0; i < 100 && !(times_s().at(-1) >= end_s); i++) await aMoment();
  if (!(times_s().at(-1) >= end_s && times_s()[0] < START_S)) {
    throw new Error('the worklet was silent at the start or at the end');
  }
}

// limits: what of the node's own properties is set, such as {minVolume: -2.5}.
export async function wlipsync(url, module, profile, limits) {
  const {createWLipSyncNode} = await import(module);
  const {sound, numFrames, length} = await decoded(url);
  const context = new OfflineAudioContext(1, length, RATE_HZ);
  const node = Object.assign(await createWLipSyncNode(context, profile), limits);
  played(context, sound).connect(node);
  const names = Object.keys(node.weights), states = [];
  node.port.addEventListener('message', ({data}) =>              // after the library's own
    states.push([data.timestamp, names.map(name => node.weights[name] * node.volume)]));
  await rendered(context, () => states.map(([time_s]) => time_s));
  let place = 0, shown = names.map(() => 0);
  const frames = [];
  for (let i = 0; i < numFrames; i++) {
    for (; place < states.length && states[place][0] - START_S <= i / FPS; place++) {
      shown = states[place][1];
    }
    frames.push(shown);
  }
  return {names, frames};
}

export async function headaudio(url, module, worklet, model) {
  const {HeadAudio} = await import(module);
  const {sound, numFrames, length} = await decoded(url);
  const context = new OfflineAudioContext(1, length, RATE_HZ);
  await context.audioWorklet.addModule(worklet);
  // Told of every window, so that none is missed; this changes nothing else.
  const node = new HeadAudio(context, {processorOptions: {vadEventsEnabled: true}});
  await node.loadModel(model);
  played(context, sound).connect(node);
  // The messages are kept, and given to the library's handler at the time of the sound, between
  // the frames of a display: 'viseme' names the middle of its window, the others its end.
  const handle = node.port.onmessage, messages = [];
  node.port.onmessage = message => messages.push(message);
  await rendered(context, () => messages.map(message => message.data.t));
  const names = node.visemeNames, shown = Object.fromEntries(names.map(name => [name, 0]));
  node.onvalue = (name, value) => { shown[name] = value; };
  const frames = [], each = DISPLAY_FPS / FPS;
  let place = 0;
  for (let tick = 0; tick < numFrames * each; tick++) {
    for (; place < messages.length; place++) {
      const {t, d = 0} = messages[place].data;
      if (t + d / 2 - START_S > tick / DISPLAY_FPS) break;
      handle(messages[place]);
    }
    node.update(1000 / DISPLAY_FPS);
    if (tick % each === 0) frames.push(names.map(name => shown[name]));
  }
  return {names, frames};
}

// Its AudioContext and its performance.now stop at each frame of the display: analysed at the pace
// of a display, but not in real time.
export async function wawa(url, module) {
  const {Lipsync, VISEMES} = await import(module);
  const {sound, numFrames, length} = await decoded(url);
  let context = null, now_s = 0;
  class SteppedAudioContext extends OfflineAudioContext {
    constructor() { super(1, length, RATE_HZ); context = this; }
    createMediaElementSource() { return played(this, sound); }
    resume() { return Promise.resolve(); }
  }
  const ownContext = window.AudioContext, ownClock = performance.now;
  window.AudioContext = SteppedAudioContext;
  performance.now = () => 1000 * now_s;
  try {
    const manager = new Lipsync();
    manager.connectAudio({src: url});
    const names = Object.values(VISEMES), shown = names.map(() => 0), frames = [];
    const each = DISPLAY_FPS / FPS;
    const step = tick => {
      const at_s = START_S + tick / DISPLAY_FPS;
      if (tick >= numFrames * each || at_s * RATE_HZ >= length) return;
      context.suspend(at_s).then(() => {
        now_s = at_s;
        manager.processAudio();
        // Smoothed as the authors' example avatar is.
        const vowel = manager.state === 'vowel';
        names.forEach((name, i) => {
          const active = name === manager.viseme;
          const speed = (vowel ? 0.1 : 0.2) * (active ? 2 : 1);
          shown[i] += speed * ((active ? 1 : 0) - shown[i]);
        });
        if (tick % each === 0) frames.push(shown.slice());
        step(tick + 1);
        OfflineAudioContext.prototype.resume.call(context);
      });
    };
    step(0);
    await context.startRendering();
    while (frames.length < numFrames) frames.push(shown.slice());
    return {names, frames};
  } finally {
    window.AudioContext = ownContext;
    performance.now = ownClock;
  }
}
