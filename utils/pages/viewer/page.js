// The page itself: what it holds, what it shows, and what the user does.
//
// window.viewer is for tests and for the console: {player, timeline, sides, sound, openFiles}.
// Where data has `live` a LiveTake is the player, and what plays a take is not shown.

(function () {
  'use strict';

  const el = id => document.getElementById(id);
  const SPEEDS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2];
  const FIRST_LANES = 4;
  const STILL = 0.004;                  // a channel that deviates less is said to stand still
  const NEARER = 1.1;                   // than the renderer shows a head
  const MAX_SOUND_BYTES = 1 << 29;
  // Signals of the mouth, each with three scores; then those that stand alone.
  const SIGNALS = [['opening', 'Opening'], ['rounding', 'Rounding'], ['spreading', 'Spreading'],
    ['pressing', 'Pressing']];
  const MEASURES = {
    mouth_jitter_ratio: ['Liveliness', 'jerk of the mouth, to that of the other'],
    silence_leak: ['Open in silence', 'mean, as a part of loud speech'],
    silence_leak_p95: ['Open in silence', '95th percentile'],
    blinks_a_minute: ['Blinks a minute', ''],
  };

  const LIVE_LANES = ['jawOpen', 'mouthClose', 'mouthPucker', 'mouthSmileLeft'];
  const FACTS_MS = 500;                 // between two figures of what is live

  const data = JSON.parse(el('data').textContent);
  const player = data.live ? new LiveTake(el('sound')) : new Player(el('sound'));
  const timeline = new Timeline(
    {overview: el('overview'), lanes: el('lanes'), tip: el('tip')}, player);
  // What stands at each side: its clip, renderer, and the values last shown.
  const sides = {a: {clip: null, renderer: null, values: null, time_s: -1},
                 b: {clip: null, renderer: null, values: null, time_s: -1}};
  const sound = {name: '', blob: null, url: null, peaks: null, peaksPerS: 50};
  let model = null, card = null, headName = '', scores = null, isDirty = true, rows = [];

  // ---- what the page was made with

  function base64Bytes(text) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const letters = atob(text), bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
    return bytes;
  }

  async function blob(id) {
    const element = el(id), bytes = base64Bytes(element.textContent);
    element.remove();                                   // megabytes that nobody needs twice
    if (element.dataset.packed !== '1') return bytes;
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  async function heldClip(take) {
    const steps = new Uint32Array((await blob(take.times)).buffer);
    const units = new Uint16Array((await blob(take.values)).buffer);
    const times_s = new Float64Array(take.frames);
    for (let i = 0, sum = 0; i < take.frames; i++) times_s[i] = (sum += steps[i]) / 1e6;
    const curves = take.channels.map((_, place) => {
      const curve = new Float32Array(take.frames);
      for (let i = 0, sum = 0; i < take.frames; i++) {
        sum = (sum + units[place * take.frames + i]) & 0xffff;
        curve[i] = sum * take.resolution;
      }
      return curve;
    });
    return makeClip(take.name, times_s, take.channels, curves);
  }

  async function start() {
    setTheme(storedTheme());
    if (data.live) showLive();
    else await showTakes();
    try {
      model = parseGlb((await blob(data.head.content)).buffer);
      headName = data.head.name;
    } catch (error) {
      tell(`${data.head.name} ${error.message}`, true);
    }
    await showHeads();
    tick();
    document.documentElement.dataset.ready = '1';
  }

  async function showTakes() {
    const takes = await Promise.all(data.takes.map(heldClip));
    sides.a.clip = takes[0];
    sides.b.clip = takes[1] || null;
    card = data.card;
    if (data.sound) {
      setSound(data.sound.name, await blob(data.sound.content), data.sound.type,
        data.sound.duration_s, await blob(data.sound.peaks), data.sound.peaks_per_s);
    }
    takesChanged();
  }

  // ---- what is live

  function showLive() {
    document.documentElement.classList.add('live');
    el('title').textContent = data.live.subject;
    el('open').title = el('drop').querySelector('span').textContent = 'A head (.glb)';
    el('file-a').accept = '.glb';
    player.addEventListener('begin', liveBegins);
    const showFacts = () => {
      if (el('facts').textContent !== player.facts) el('facts').textContent = player.facts;
      document.documentElement.dataset.live = player.state;
    };
    player.addEventListener('state', showFacts);
    setInterval(showFacts, FACTS_MS);
    showFacts();
    if (player.clip) liveBegins();
  }

  function liveBegins() {
    sides.a.clip = player.clip;
    sides.a.values = null;
    sides.a.time_s = -1;
    timeline.show({clips: [player.clip], peaks: null, peaksPerS: 50});
    buildList([player.clip]);
    timeline.setLanes(timeline.lanes.length ? timeline.lanes : LIVE_LANES);
  }

  // ---- sound

  function setSound(name, bytes, type, duration_s, peaks, peaksPerS) {
    if (sound.url) URL.revokeObjectURL(sound.url);
    const held = new Blob([bytes], {type});
    Object.assign(sound, {name, peaks, peaksPerS, blob: held, url: URL.createObjectURL(held)});
    player.setSound(sound.url, duration_s);
    el('mute').hidden = false;
  }

  async function openSound(file) {
    if (file.size > MAX_SOUND_BYTES) throw new Error('has more than 500 MB');
    const bytes = new Uint8Array(await file.arrayBuffer()), hz = 8000, perS = 50;
    let decoded;
    try {
      decoded = await new OfflineAudioContext(1, 1, hz).decodeAudioData(bytes.slice().buffer);
    } catch (error) {
      throw new Error('holds no sound that this browser can play');
    }
    const samples = decoded.getChannelData(0), step = hz / perS;
    const levels = new Float32Array(Math.ceil(samples.length / step));
    samples.forEach((value, i) => {
      const place = Math.floor(i / step);
      levels[place] = Math.max(levels[place], Math.abs(value));
    });
    const most = levels.reduce((high, level) => Math.max(high, level), 1e-9);
    setSound(file.name, bytes, file.type || 'audio/wav', decoded.duration,
      Uint8Array.from(levels, level => Math.round(255 * level / most)), perS);
    card = null;
    takesChanged();
  }

  // ---- heads

  async function showHeads() {
    for (const side of ['a', 'b']) {
      const of = sides[side];
      if (!model || (side === 'b' && !of.clip)) continue;
      try {
        if (!of.renderer) {
          of.renderer = new FaceRenderer(el('head-' + side));
          of.renderer.attachControls();
          of.renderer.zoom(NEARER);
          themeRenderer(of.renderer);
          follow(side);
        }
        await of.renderer.setModel(model);
        of.time_s = -1;
      } catch (error) {
        el('no-head').textContent = `The head cannot be shown: ${error.message}. ` +
          'The sound and the curves are here all the same.';
        el('no-head').hidden = false;
        return;
      }
    }
    if (sides.b.renderer && sides.b.clip) copyView('a', 'b');
    isDirty = true;
  }

  function copyView(from, to) {
    const source = sides[from].renderer, goal = sides[to].renderer;
    if (!source || !goal) return;
    for (const key of ['yaw', 'pitch', 'closeness']) goal[key] = source[key];
    isDirty = true;
  }

  function follow(side) {
    // Both heads are seen from the same place.
    const other = side === 'a' ? 'b' : 'a', canvas = el('head-' + side);
    for (const kind of ['pointermove', 'wheel', 'dblclick']) {
      canvas.addEventListener(kind, () => copyView(side, other), {passive: true});
    }
    canvas.addEventListener('keydown', event => {
      const turn = {ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, -40],
        ArrowDown: [0, 40]};
      if (!event.altKey || !turn[event.key]) return;
      event.preventDefault();
      sides[side].renderer.orbit(...turn[event.key]);
      copyView(side, other);
      isDirty = true;
    });
  }

  function turnTo(yaw) {
    for (const of of Object.values(sides)) {
      if (!of.renderer) continue;
      of.renderer.resetView();
      of.renderer.zoom(NEARER);
      if (yaw) of.renderer.orbit(yaw / 0.0075, 0);
    }
    isDirty = true;
  }

  function tick() {
    const time_s = player.tick();
    for (const side of ['a', 'b']) {
      const of = sides[side];
      if (!of.clip || (of.time_s === time_s && !isDirty)) continue;
      of.time_s = time_s;
      if (!of.values || of.values.length !== of.clip.channels.length) {
        of.values = new Float32Array(of.clip.channels.length);
      }
      sampleClip(of.clip, time_s, of.values);
      if (of.renderer) {
        of.renderer.setWeights(ALL_CHANNELS, pose(of));
        of.renderer.draw();
      }
      if (player.isLive) player.drawn();
    }
    isDirty = false;
    showTime(time_s);
    requestAnimationFrame(tick);
  }

  function pose({clip, values}) {
    // All 52: a channel that a take lacks rests at 0, whatever was shown before.
    return ALL_CHANNELS.map(channel => {
      const place = clip.places.get(channel);
      return place === undefined ? 0 : values[place];
    });
  }

  // ---- time

  let shownTime = '', listed_ms = 0;

  function showTime(time_s) {
    const text = clockText(time_s, 2);
    if (!player.isLive) timeline.moveTo(time_s);
    else if (sides.a.clip && text !== shownTime) timeline.follow(time_s, LiveTake.KEEP_S);
    if (text !== shownTime) {
      shownTime = text;
      el('now').textContent = text;
      el('overview').setAttribute('aria-valuenow', time_s.toFixed(2));
      el('overview').setAttribute('aria-valuetext', `${time_s.toFixed(2)} seconds`);
      if (sides.a.clip) {
        const {times_s} = sides.a.clip, frame = frameAt(times_s, time_s + 1e-4);
        el('frame').textContent = player.isLive ? `frame ${player.frame}`
          : `frame ${frame + 1} of ${times_s.length}`;
      }
      const now_ms = performance.now();
      if (!(player.isPlaying || player.isLive) || now_ms - listed_ms > 90) {
        listed_ms = now_ms;
        showValues();
      }
    }
  }

  function showValues() {
    const {clip, values} = sides.a;
    if (!values) return;
    for (const row of rows) {
      const place = clip.places.get(row.channel);
      const text = place === undefined ? '\u2013' : values[place].toFixed(2);
      if (row.text !== text) row.value.textContent = row.text = text;
    }
  }

  function stepBy(frames) {
    player.pause();
    const step_s = usualStep(sides.a.clip.times_s);
    const frame = Math.round(player.time() / step_s);
    player.seek((frame + frames) * step_s);
  }

  // ---- what is shown of the takes

  function takesChanged(keepLanes = false) {
    const {a, b} = sides, clips = [a.clip, b.clip].filter(Boolean);
    for (const of of [a, b]) { of.values = null; of.time_s = -1; }
    player.setDuration(Math.max(player.sound_s, ...clips.map(clipEnd)));
    document.title = clips.map(clip => clip.name).join(' and ');
    el('title').textContent = b.clip ? `${a.clip.name} beside ${b.clip.name}` : a.clip.name;
    el('title').title = el('title').textContent;
    const facts = [`${clipEnd(a.clip).toFixed(1)} s`, rateText(a.clip),
      `${a.clip.channels.length} channels`];
    facts.push(sound.url ? `sound ${sound.name}` : 'no sound');
    el('facts').textContent = facts.join('  \u00b7  ');
    el('caption-a').textContent = a.clip.name;
    el('caption-b').textContent = b.clip ? b.clip.name : '';
    el('figure-b').hidden = !b.clip;
    el('stage').classList.toggle('two', Boolean(b.clip));
    el('whole').textContent = clockText(player.duration_s, 2);
    el('overview').setAttribute('aria-valuemax', player.duration_s.toFixed(2));
    if (!sound.url) el('mute').hidden = true;
    el('strip-name').textContent = sound.url ? 'Sound' : 'Jaw';
    timeline.show({clips, peaks: sound.peaks, peaksPerS: sound.peaksPerS});
    buildList(clips);
    if (!keepLanes || !timeline.lanes.length) timeline.setLanes(firstLanes(clips));
    else timeline.setLanes(timeline.lanes);
    showScores(clips);
    isDirty = true;
  }

  function firstLanes(clips) {
    // The jaw, then what moves most; of two sides one.
    const moving = ALL_CHANNELS.map(channel => [channel, Math.max(...clips.map(clip => {
      const curve = curveOf(clip, channel);
      return curve ? activityOf(curve) : 0;
    }))]).filter(([, activity]) => activity > STILL).sort((one, two) => two[1] - one[1]);
    const lanes = moving.some(([channel]) => channel === 'jawOpen') ? ['jawOpen'] : [];
    for (const [channel] of moving) {
      const other = channel.replace(/(Left|Right)$/, side => side === 'Left' ? 'Right' : 'Left');
      if (lanes.length < FIRST_LANES && !lanes.includes(channel) && !lanes.includes(other)) {
        lanes.push(channel);
      }
    }
    return lanes;
  }

  function buildList(clips) {
    const list = el('list');
    list.textContent = '';
    rows = [];
    const left = new Set(ALL_CHANNELS.filter(
      channel => clips.some(clip => clip.places.has(channel))));
    for (const group of CHANNEL_GROUPS) {
      const channels = [...left].filter(group.test);
      channels.forEach(channel => left.delete(channel));
      if (!channels.length) continue;
      const activity = new Map(channels.map(channel => [channel, Math.max(...clips.map(clip => {
        const curve = curveOf(clip, channel);
        return curve ? activityOf(curve) : 0;
      }))]));
      channels.sort((one, two) => activity.get(two) - activity.get(one));
      const section = document.createElement('div'), heading = document.createElement('h2');
      heading.textContent = group.title;
      section.append(heading);
      for (const channel of channels) {
        const row = listRow(channel, !player.isLive && activity.get(channel) < STILL,
          clips.map(clip => curveOf(clip, channel)), ['a', 'b']);
        section.append(row.element);
        rows.push(row);
      }
      list.append(section);
    }
    filterList();
  }

  function listRow(channel, isStill, curves, kinds) {
    const element = document.createElement('button'), name = document.createElement('span');
    const value = document.createElement('span');
    element.type = 'button';
    element.className = isStill ? 'row still' : 'row';
    element.dataset.channel = channel;
    element.title = isStill ? `${channel} stands still` : channel;
    name.className = 'name';
    name.textContent = channel;
    value.className = 'value';
    element.append(name, isStill ? '' : sparkline(curves, kinds), value);
    element.addEventListener('click', () => {
      const {lanes} = timeline;
      timeline.setLanes(lanes.includes(channel) ? lanes.filter(one => one !== channel)
        : lanes.concat(channel));
      if (timeline.lanes.includes(channel)) el('lanes').scrollTop = el('lanes').scrollHeight;
    });
    return {channel, element, value, text: ''};
  }

  function filterList() {
    const words = el('search').value.trim().toLowerCase().split(/\s+/);
    let found = 0;
    for (const section of el('list').children) {
      let inside = 0;
      for (const row of section.querySelectorAll('.row')) {
        row.hidden = !words.every(word => row.dataset.channel.toLowerCase().includes(word));
        inside += row.hidden ? 0 : 1;
      }
      section.hidden = !inside;
      found += inside;
    }
    el('none').hidden = found > 0;
  }

  // ---- two takes

  function differenceCurve(channel) {
    const fps = 30, {a, b} = sides;
    if (!a.clip || !b.clip) return null;
    const numFrames = Math.max(1, Math.floor(Math.min(clipEnd(a.clip), clipEnd(b.clip)) * fps));
    const ours = evenCurve(a.clip, channel, fps, numFrames);
    const theirs = evenCurve(b.clip, channel, fps, numFrames);
    return ours.map((value, i) => Math.abs(value - theirs[i]));
  }

  function showScores(clips) {
    const pane = el('scores');
    pane.textContent = '';
    el('tab-scores').hidden = clips.length < 2;
    scores = clips.length < 2 ? null : compareClips(clips[0], clips[1]);
    if (clips.length < 2) { chooseTab('channels'); return; }
    if (!scores) {
      pane.append(paragraph('Less than a second is common to both takes.'));
      return;
    }
    const add = (tag, parent, text, kind) => {
      const element = document.createElement(tag);
      if (text !== undefined) element.textContent = text;
      if (kind) element.className = kind;
      parent.append(element);
      return element;
    };
    const shown = (value, name) => value === null || value === undefined ? '\u2013' :
      value.toFixed(name.endsWith('_ms') ? 0 : 2).replace('-', '\u2212');
    const mouth = scores.channels.filter(one => /^(jaw|mouth)/.test(one.name));
    const mae = of => of.reduce((sum, one) => sum + one.mae, 0) / of.length;
    const verdict = add('div', pane, undefined, 'verdict');
    add('b', verdict, mouth.length ? mae(mouth).toFixed(3) : '\u2013');
    add('span', verdict, 'mean difference of the mouth\u2019s channels, in units of weight');
    const measures = new Map((card ? card.measures : scores.measures).map(one => [one.name, one]));
    const tableOf = titles => {
      const table = add('table', pane), head = add('tr', add('thead', table));
      for (const text of titles) add('th', head, text);
      return add('tbody', table);
    };
    add('h2', pane, 'The mouth\u2019s movement');
    let body = tableOf(['', 'correlation', 'late by (ms)', 'of its speed']);
    for (const [signal, title] of SIGNALS) {
      if (!measures.has(signal + '_r')) continue;
      const row = add('tr', body);
      add('th', row, title);
      for (const name of [signal + '_r', signal + '_lag_ms', signal + '_velocity_r']) {
        const value = measures.has(name) ? measures.get(name).take : null;
        add('td', row, shown(value, name), name === signal + '_r' ? 'a' : '');
      }
    }
    add('h2', pane, 'Other scores');
    body = tableOf(['', 'this', 'the other']);
    for (const [name, [title, how]] of Object.entries(MEASURES)) {
      if (!measures.has(name)) continue;
      const row = add('tr', body), cell = add('th', row, title), values = measures.get(name);
      if (how) add('small', cell, how);
      add('td', row, shown(values.take, name), 'a');
      add('td', row, shown(values.against, name), 'b');
    }
    const seconds = (card ? card.scored_s : scores.seconds).toFixed(1);
    pane.append(paragraph(`${short(clips[0].name)} is scored against ${short(clips[1].name)}, ` +
      `over ${seconds} s at 30 frames a second.` +
      (card ? '' : ' Scores of silence need a page made with the sound.')));
    add('h2', pane, 'Difference by channel');
    const worstFirst = scores.channels.slice().sort((one, two) => two.mae - one.mae);
    for (const {name, mae: error, r} of worstFirst) {
      const row = listRow(name, false, [differenceCurve(name)], ['difference']);
      row.value.textContent = error.toFixed(3);
      row.element.title = `${name}: mean difference ${error.toFixed(4)}, correlation ` +
        (r === null ? 'none' : r.toFixed(2));
      pane.append(row.element);
    }
    markLanes();
  }

  function paragraph(text) {
    const element = document.createElement('p');
    element.textContent = text;
    return element;
  }

  function chooseTab(name) {
    for (const one of ['channels', 'scores']) {
      const isChosen = one === name;
      el(one).hidden = !isChosen;
      el('tab-' + one).setAttribute('aria-selected', isChosen);
      el('tab-' + one).tabIndex = isChosen ? 0 : -1;
    }
  }

  function markLanes() {
    for (const row of document.querySelectorAll('.row')) {
      row.setAttribute('aria-pressed', timeline.lanes.includes(row.dataset.channel));
    }
  }

  // ---- files

  async function openFiles(files, side = 'a') {
    // Heads first, then sounds, then takes: the first to `side`, one more to the other.
    const order = file => /\.glb$/i.test(file.name) ? 0 : isAnimationName(file.name) ? 2 : 1;
    let next = side;
    for (const file of [...files].sort((one, two) => order(one) - order(two))) {
      try {
        if (player.isLive && order(file) > 0) {
          throw new Error('is not shown here: this page shows what is live (view.py shows takes)');
        }
        if (order(file) === 1) await openSound(file);
        else if (order(file) === 2) { await openTake(file, next); next = next === 'a' ? 'b' : 'a'; }
        else await openGlb(file, next);
      } catch (error) {
        tell(`${file.name} ${error.message}`.replace(/ : /, ': '), true);
      }
    }
  }

  async function openGlb(file, side) {
    const buffer = await file.arrayBuffer(), opened = parseGlb(buffer);
    const hasShapes = Object.keys(opened.arkitNames).length > 0;
    if (!hasShapes && !opened.animation) {
      const found = opened.targetNames.slice(0, 4).join(', ');
      throw new Error('has no morph targets with ARKit names' + (found ? `; it has ${found}` : ''));
    }
    if (side === 'a' || !opened.animation || player.isLive) {
      model = opened;
      headName = file.name;
      await showHeads();
      const missing = !sides.a.clip ? [] : sides.a.clip.channels.filter((channel, place) =>
        !opened.arkitNames[channel] && activityOf(sides.a.clip.curves[place]) > STILL);
      tell(`Head: ${file.name}, ${Object.keys(opened.arkitNames).length} of the 52 shapes` +
        (missing.length ? `. It lacks ${missing.slice(0, 4).join(', ')}` +
          (missing.length > 4 ? ` and ${missing.length - 4} more` : '') : ''));
      for (const line of opened.warnings) tell(`${file.name}: ${line}`);
    }
    if (opened.animation && !player.isLive) await openTake(file, side, buffer);
  }

  async function openTake(file, side, buffer) {
    const notes = [];
    const clip = await readAnimation(file.name, buffer || await file.arrayBuffer(), notes);
    player.pause();
    sides[side].clip = clip;
    card = null;
    takesChanged(true);
    if (side === 'b' || !sides[side].renderer) await showHeads();
    player.seek(0);
    for (const note of notes) tell(`${file.name}: ${note}`);
  }

  function closeB() {
    sides.b.clip = null;
    card = null;
    takesChanged(true);
  }

  function tell(text, isError = false) {
    const notice = document.createElement('div'), words = document.createElement('span');
    const close = document.createElement('button');
    notice.className = isError ? 'notice error' : 'notice';
    if (isError) notice.setAttribute('role', 'alert');
    words.textContent = text;
    close.type = 'button';
    close.className = 'icon small';
    close.setAttribute('aria-label', 'Close');
    close.textContent = '\u00d7';
    close.addEventListener('click', () => notice.remove());
    notice.append(words, close);
    el('notices').append(notice);
    while (el('notices').children.length > 4) el('notices').firstChild.remove();
    setTimeout(() => notice.remove(), isError ? 12000 : 6000);
  }

  // ---- dark and light

  function storedTheme() {
    try {
      return localStorage.getItem('speech-to-face-theme');
    } catch (error) {
      return null;                                      // a page from the disk may have no store
    }
  }

  const darkness = matchMedia('(prefers-color-scheme: dark)');

  function setTheme(theme) {
    document.documentElement.dataset.theme = theme || (darkness.matches ? 'dark' : 'light');
    for (const of of Object.values(sides)) if (of.renderer) themeRenderer(of.renderer);
    if (sides.a.clip) {
      timeline.draw();
    }
    isDirty = true;
  }

  function themeRenderer(renderer) {
    const style = getComputedStyle(document.documentElement);
    renderer.setTheme({background: style.getPropertyValue('--stage-out').trim(),
      glow: style.getPropertyValue('--stage-in').trim(), vignette: 0.1});
  }

  function otherTheme() {
    const theme = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
    try {
      localStorage.setItem('speech-to-face-theme', theme);
    } catch (error) {
      // then it is not remembered
    }
    setTheme(theme);
  }

  darkness.addEventListener('change', () => { if (!storedTheme()) setTheme(null); });

  // ---- what the user does

  function nextSpeed(direction) {
    const place = SPEEDS.indexOf(player.rate) + direction;
    player.setRate(SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, place))]);
  }

  function setMuted(isMuted) {
    el('sound').muted = isMuted;
    el('mute').setAttribute('aria-pressed', isMuted);
  }

  player.addEventListener('change', () => {
    document.documentElement.classList.toggle('playing', player.isPlaying);
    el('play').setAttribute('aria-label', player.isPlaying ? 'Pause' : 'Play');
    el('loop').setAttribute('aria-pressed', player.isLooping);
    el('speed').value = String(player.rate);
    timeline.placeRegions();
  });
  player.addEventListener('trouble', event => tell(`No sound: ${event.detail}`, true));
  el('sound').addEventListener('error', () => {
    if (!sound.url || !el('sound').hasAttribute('src')) return;
    player.sound_s = 0;
    tell(`This browser cannot play ${sound.name}; the face goes on without it`, true);
  });
  timeline.addEventListener('lanes', markLanes);

  el('play').addEventListener('click', () => player.toggle());
  el('loop').addEventListener('click', () => player.setLooping(!player.isLooping));
  el('speed').addEventListener('change', event => {
    player.setRate(Number(event.target.value));
    event.target.blur();
  });
  el('mute').addEventListener('click', () => setMuted(!el('sound').muted));
  el('zoom-in').addEventListener('click', () => timeline.zoom(2));
  el('zoom-out').addEventListener('click', () => timeline.zoom(0.5));
  el('zoom-all').addEventListener('click', () => timeline.zoomAll());
  el('theme').addEventListener('click', otherTheme);
  el('help').addEventListener('click', () => el('keys').showModal());
  el('keys').addEventListener('click', event => {
    if (event.target === el('keys')) el('keys').close();    // beside the dialog
  });
  el('open').addEventListener('click', () => el('file-a').click());
  el('compare').addEventListener('click', () => el('file-b').click());
  el('drop-b').addEventListener('click', closeB);
  el('search').addEventListener('input', filterList);
  for (const name of ['channels', 'scores']) {
    el('tab-' + name).addEventListener('click', () => chooseTab(name));
    el('tab-' + name).addEventListener('keydown', event => {
      if (!/^Arrow(Left|Right)$/.test(event.key) || el('tab-scores').hidden) return;
      event.preventDefault();
      event.stopPropagation();
      const other = name === 'channels' ? 'scores' : 'channels';
      chooseTab(other);
      el('tab-' + other).focus();
    });
  }
  for (const side of ['a', 'b']) {
    el('file-' + side).addEventListener('change', event => {
      openFiles(event.target.files, side).then(() => { event.target.value = ''; });
    });
  }
  for (const button of document.querySelectorAll('[data-turn]')) {
    button.addEventListener('click', () => turnTo(Number(button.dataset.turn)));
  }

  const KEYS = {
    ' ': () => player.toggle(),
    ArrowLeft: event => event.shiftKey ? player.seek(player.time() - 1) : stepBy(-1),
    ArrowRight: event => event.shiftKey ? player.seek(player.time() + 1) : stepBy(1),
    Home: () => player.seek(player.from_s),
    End: () => { player.pause(); player.seek(player.to_s); },
    '[': () => nextSpeed(-1), ']': () => nextSpeed(1),
    l: () => player.setLooping(!player.isLooping),
    m: () => setMuted(!el('sound').muted),
    i: () => player.setRegion([player.time(), Math.max(player.to_s, player.time() + 0.1)]),
    o: () => player.setRegion([Math.min(player.from_s, player.time() - 0.1), player.time()]),
    Escape: () => player.setRegion(null),
    '+': () => timeline.zoom(2), '=': () => timeline.zoom(2), '-': () => timeline.zoom(0.5),
    0: () => timeline.zoomAll(),
    '/': () => { chooseTab('channels'); el('search').focus(); },
    c: () => el('file-b').click(),
    d: otherTheme,
    '?': () => el('keys').showModal(),
  };

  const LIVE_KEYS = ['/', 'd'];

  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || el('keys').open) return;
    const {target} = event;
    if (target.matches('input, textarea')) {
      if (event.key === 'Escape') { target.value = ''; filterList(); target.blur(); }
      return;
    }
    if (target.matches('select') && event.key.startsWith('Arrow')) return;
    if (event.key === ' ' && target.matches('button, select')) return;
    const key = KEYS[event.key] ? event.key : event.key.toLowerCase(), act = KEYS[key];
    if (!act || (player.isLive && !LIVE_KEYS.includes(key))) return;
    event.preventDefault();
    act(event);
  });

  // Files dragged over the page: the left half shows them, the right half puts them beside.
  let leave = 0;
  const isFiles = event => [...event.dataTransfer.types].includes('Files');
  window.addEventListener('dragover', event => {
    if (!isFiles(event)) return;
    event.preventDefault();
    clearTimeout(leave);
    leave = setTimeout(() => { el('drop').hidden = true; }, 400);
    el('drop').hidden = false;
    for (const half of el('drop').children) {
      half.classList.toggle('over', half.contains(event.target));
    }
  });
  window.addEventListener('drop', event => {
    if (!isFiles(event)) return;
    event.preventDefault();
    const half = event.target.closest && event.target.closest('[data-side]');
    clearTimeout(leave);
    el('drop').hidden = true;
    openFiles(event.dataTransfer.files, half ? half.dataset.side : 'a');
  });

  new ResizeObserver(() => { isDirty = true; }).observe(el('stage'));
  window.viewer = {player, timeline, sides, sound, openFiles, get scores() { return scores; },
    get head() { return headName; }};
  start().catch(error => tell(`The page cannot start: ${error.message}`, true));
})();
