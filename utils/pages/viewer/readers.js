// Animation files dropped into the page: the formats of utils/formats, by the same rules.
//
// readAnimation(fileName, arrayBuffer, notes) -> Promise of a clip
//   notes: gets a line for each thing that is doubtful and how it was taken.
// Throws an Error of one line for what cannot be read. isAnimationName(fileName): by its ending.
//
// Channels go by name alone. Rows without a face are left out. The first frame stands at 0.

var {readAnimation, isAnimationName} = (function () {
  'use strict';

  const MAX_BYTES = 1 << 28, MAX_FRAMES = 6 * 3600 * 240;
  const MAX_UNPACKED = 1 << 29;                             // of one array of an .npz
  const CHANNEL_OF = new Map(ALL_CHANNELS.map(name => [name.toLowerCase(), name]));
  const ANGLES = ['headyaw', 'headpitch', 'headroll', 'lefteyeyaw', 'lefteyepitch',
    'lefteyeroll', 'righteyeyaw', 'righteyepitch', 'righteyeroll'];
  const EMOTIONS = ['angry', 'disgusted', 'fearful', 'happy', 'neutral', 'sad', 'surprised'];
  const BESIDE = /^(_neutral|neutral|head|lefteye|righteye|tongue)/;
  const SIXTIETHS = 60, S_PER_DAY = 86400;

  function refuse(line) {
    throw new Error(line);
  }

  function isAnimationName(name) {
    return /\.(csv|json|npz|vmd|vrma|glb)$/i.test(name);
  }

  async function readAnimation(fileName, buffer, notes) {
    if (buffer.byteLength > MAX_BYTES) {
      refuse(`has ${buffer.byteLength} bytes; at most ${MAX_BYTES} are read`);
    }
    if (!buffer.byteLength) refuse('is empty (0 bytes)');
    const ending = (/\.(\w+)$/.exec(fileName) || ['', ''])[1].toLowerCase();
    const bytes = new Uint8Array(buffer);
    let rows;
    if (ending === 'csv') rows = readCsv(textOf(bytes), notes);
    else if (ending === 'json') rows = readJson(textOf(bytes), notes);
    else if (ending === 'npz') rows = await readNpz(bytes);
    else if (ending === 'vmd') rows = readVmd(bytes, notes);
    else if (ending === 'vrma') rows = readVrma(bytes, notes);
    else if (ending === 'glb') rows = readGlbAnimation(buffer);
    else refuse('is no face file; give .csv, .json, .npz, .vmd, .vrma or .glb');
    return clipOfRows(fileName, rows, notes);
  }

  // ---- what all have in common

  // rows: {times_s [frames], names, columns [k][frames], hasFace [frames] or null, scale}
  function clipOfRows(fileName, rows, notes) {
    const {names, columns} = rows, numRows = rows.times_s.length;
    if (!numRows) refuse('has no rows; expected one for each frame');
    if (numRows > MAX_FRAMES) refuse(`has ${numRows} frames; at most ${MAX_FRAMES} are shown`);
    const places = [], channels = [];
    names.forEach((name, place) => {
      const channel = CHANNEL_OF.get(String(name).toLowerCase());
      if (!channel && !BESIDE.test(String(name).toLowerCase())) {
        refuse(`has ${shown(name)}, none of the 52 ARKit shapes; rename or remove it`);
      }
      if (!channel) return;
      if (channels.includes(channel)) refuse(`has the shape ${channel} twice`);
      places.push(place);
      channels.push(channel);
    });
    if (!channels.length) refuse('has none of the 52 ARKit shapes');
    const kept = [];
    for (let i = 0; i < numRows; i++) if (!rows.hasFace || rows.hasFace[i]) kept.push(i);
    if (!kept.length) refuse(`has ${numRows} rows and none has a face`);
    if (kept.length < numRows) {
      notes.push(`${numRows - kept.length} of ${numRows} rows have no face; ` +
        'lines are drawn across');
    }
    const curves = places.map(place => Float32Array.from(kept, i => columns[place][i]));
    const times_s = Float64Array.from(kept, i => rows.times_s[i] - rows.times_s[0]);
    for (const curve of curves) {
      if (!curve.every(Number.isFinite)) refuse('holds NaN or infinity; expected finite numbers');
    }
    if (!times_s.every(Number.isFinite)) refuse('has times that are no numbers');
    for (let i = 1; i < times_s.length; i++) {
      if (times_s[i] < times_s[i - 1]) refuse(`has times that go backwards after row ${i}`);
    }
    inUnitRange(curves, notes);
    const clip = makeClip(fileName, times_s, channels, curves);
    if (rows.isLiveLink) noteSides(clip, notes);
    return clip;
  }

  function inUnitRange(curves, notes) {
    // Weights in 0..1: those in 0..100 are divided by 100, and what is a little outside is cut.
    const numFrames = curves[0].length, peaks = new Float32Array(numFrames).fill(-Infinity);
    let lowest = Infinity, above = 0;
    for (const curve of curves) {
      for (let i = 0; i < numFrames; i++) {
        if (curve[i] > peaks[i]) peaks[i] = curve[i];
        if (curve[i] < lowest) lowest = curve[i];
        if (curve[i] > 1) above++;
      }
    }
    const highest = peaks.reduce((most, peak) => Math.max(most, peak), -Infinity);
    above /= numFrames * curves.length;
    if (highest > 1.5) {
      const moving = peaks.filter(peak => peak > 0.1);
      const share = moving.filter(peak => peak > 1.5).length / moving.length;
      if (highest >= 10 && highest <= 150 && share >= 0.5) {
        notes.push(`weights go up to ${+highest.toPrecision(4)}: taken as 0..100`);
        for (const curve of curves) for (let i = 0; i < numFrames; i++) curve[i] /= 100;
        lowest /= 100;
      } else if (highest <= 3 && above <= 0.01) {
        notes.push(`weights go up to ${+highest.toPrecision(4)}; those above 1 are cut to 1`);
      } else {
        refuse(`has weights up to ${+highest.toPrecision(4)}; expected 0..1 or 0..100`);
      }
    }
    if (lowest < -0.1) {
      notes.push(`weights go down to ${+lowest.toPrecision(4)}; those below 0 are cut to 0`);
    }
    for (const curve of curves) {
      for (let i = 0; i < numFrames; i++) curve[i] = Math.min(1, Math.max(0, curve[i]));
    }
  }

  function evenTimes(numFrames, fps) {
    if (!(fps > 0 && fps < Infinity)) refuse(`says ${shown(fps)} frames a second`);
    return Float64Array.from({length: numFrames}, (_, i) => i / fps);
  }

  function shown(value) {
    return String(value).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').slice(0, 40);
  }

  function textOf(bytes) {
    let encoding = 'utf-8';
    if (bytes[0] === 0xff && bytes[1] === 0xfe) encoding = 'utf-16le';
    else if (bytes[0] === 0xfe && bytes[1] === 0xff) encoding = 'utf-16be';
    else if (bytes.length >= 4 && !bytes[1] && !bytes[3] && bytes[0]) encoding = 'utf-16le';
    else if (bytes.length >= 4 && !bytes[0] && !bytes[2] && bytes[1]) encoding = 'utf-16be';
    return new TextDecoder(encoding).decode(bytes);         // drops the byte order mark
  }

  function median(values) {
    const sorted = Array.from(values).sort((a, b) => a - b), middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  function number(cell) {
    const text = /^\s*[-+]?\d+,\d*\s*$/.test(cell) ? cell.replace(',', '.') : cell;
    return text.trim() === '' ? NaN : Number(text);
  }

  // ---- tables of text

  function tableOf(text) {
    // {columns, rows: [[line number, cells]]}, columns without a name and `index` left out.
    let lines = text.replace(/[\u0000\u001a]+$/, '').split(/\r\n|\r|\n/);
    let firstLine = lines.findIndex(line => line.trim());
    if (firstLine < 0) refuse('is empty');
    let said = /^\s*"?sep=(.)"?\s*$/i.exec(lines[firstLine]);
    if (said) firstLine++;
    const header = lines[firstLine] || '';
    const outside = header.replace(/"[^"]*"/g, '');
    const delimiter = said ? said[1] : [',', ';', '\t', '|'].reduce((best, one) =>
      outside.split(one).length > outside.split(best).length ? one : best);
    const all = cellsOf(header, delimiter);
    const kept = all.map((name, place) => place).filter(place =>
      !/^(unnamed: \d+(_level_\d+)?)?$/i.test(all[place]) &&
      !(place === 0 && /^(index|level_0)$/i.test(all[place])));
    const rows = [];
    for (let i = firstLine + 1; i < lines.length; i++) {
      if (!lines[i].trim()) continue;
      let cells = cellsOf(lines[i], delimiter);
      while (cells.length > all.length && !cells[cells.length - 1]) cells.pop();
      if (kept.length < all.length) {
        cells = kept.filter(place => place < cells.length).map(place => cells[place])
          .concat(cells.slice(all.length));
      }
      if (cells.some(cell => cell)) rows.push([i + 1, cells]);
    }
    return {columns: kept.map(place => all[place]), rows};
  }

  function cellsOf(line, delimiter) {
    if (!line.includes('"')) return line.split(delimiter).map(cell => cell.trim());
    const cells = [];
    let cell = '', quoted = false;
    for (let i = 0; i < line.length; i++) {
      const letter = line[i];
      if (letter === '"' && quoted && line[i + 1] === '"') { cell += '"'; i++; }
      else if (letter === '"') quoted = !quoted;
      else if (letter === delimiter && !quoted) { cells.push(cell.trim()); cell = ''; }
      else cell += letter;
    }
    cells.push(cell.trim());
    return cells;
  }

  function readCsv(text, notes) {
    const table = tableOf(text), low = table.columns.map(name => name.toLowerCase());
    if (low[0] === 'timecode' && (low[1] === 'blendshapecount' || low[1] === 'framerate')) {
      return readLiveLink(table, low, notes);
    }
    return readShapeTable(table, low, notes);
  }

  function readLiveLink({columns, rows}, low, notes) {
    // The Live Link Face app's: FF of its timecode counts sixtieths of a second at any rate.
    const hasFrameRate = low[1] === 'framerate', places = [];
    low.forEach((name, place) => {
      if (place < 2) return;
      if (CHANNEL_OF.has(name)) places.push(place);
      else if (!ANGLES.includes(name) && !EMOTIONS.includes(name)) {
        refuse(`line 1: the column ${shown(columns[place])} is none of the 52 shapes and 9 angles`);
      }
    });
    const numbers = places.map(() => new Float64Array(rows.length));
    const hasFace = new Uint8Array(rows.length), codes = [], unitsPerS = [];
    rows.forEach(([line, cells], row) => {
      hasFace[row] = hasFrameRate || !/^0+(\.0*)?$/.test(cells[1]) ? 1 : 0;
      if (hasFace[row] && cells.length !== columns.length) {
        refuse(`line ${line}: ${cells.length} cells where the header has ${columns.length}`);
      }
      codes.push(cells[0]);
      unitsPerS.push(hasFrameRate ? number(cells[1]) : SIXTIETHS);
      if (hasFace[row]) {
        places.forEach((place, i) => {
          numbers[i][row] = number(cells[place]);
          if (!Number.isFinite(numbers[i][row])) {
            refuse(`line ${line}: column ${columns[place]} is "${shown(cells[place])}"; ` +
              'expected a number');
          }
        });
      }
    });
    if (!rows.length) refuse('has no rows below the header');
    const times_s = /^[-+]?[\d.,]+([eE][-+]?\d+)?$/.test(codes[0]) ?
      countedTimes(codes, notes) : timesOfDay(codes, rows, unitsPerS, hasFrameRate, notes);
    for (let i = 1, later_s = 0, last = times_s[0]; i < times_s.length; i++) {
      if (times_s[i] - last < -S_PER_DAY / 2) later_s += S_PER_DAY;     // midnight
      last = times_s[i];
      times_s[i] += later_s;
    }
    return {times_s, names: places.map(place => columns[place]), columns: numbers, hasFace,
      isLiveLink: true};
  }

  function noteSides({places, curves}, notes) {
    // The app's CSV calls the sideways shapes by the wrong side: see utils/formats/face_files.py.
    const difference = stem => {
      const [left, right] = ['Left', 'Right'].map(side => curves[places.get(stem + side)]);
      return left && right && left.map((value, i) => value - right[i]);
    };
    const sideways = difference('mouth');
    const sides = ['mouthSmile', 'mouthDimple', 'mouthStretch', 'mouthUpperUp'].map(difference)
      .filter(Boolean);
    if (!sideways || !sides.length) return;
    const side = sideways.map((_, i) => sides.reduce((sum, one) => sum + one[i], 0));
    const mean = curve => curve.reduce((sum, value) => sum + value, 0) / curve.length;
    const [a, b] = [mean(sideways), mean(side)];
    let ab = 0, aa = 0, bb = 0, low = Infinity, high = -Infinity;
    sideways.forEach((value, i) => {
      ab += (value - a) * (side[i] - b);
      aa += (value - a) ** 2;
      bb += (side[i] - b) ** 2;
      low = Math.min(low, value);
      high = Math.max(high, value);
    });
    const r = aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : 0;
    if (high - low > 0.05 && r < -0.3) {
      notes.push(`the mouth moves sideways by ${(high - low).toFixed(2)}, against the smile of ` +
        `that side (r ${r.toFixed(2)}): its sideways shapes are named crosswise, it seems; ` +
        'view.py takes them so by --live_link_sides app');
    }
  }

  function countedTimes(codes, notes) {
    const counted = Float64Array.from(codes, number);
    if (!counted.every(Number.isFinite)) refuse('mixes timecodes and numbers');
    if (counted.every(Number.isInteger)) {
      notes.push('the timecode is the number of the frame: taken as 60 a second');
      return counted.map(count => count / SIXTIETHS);
    }
    notes.push('the timecode is taken as seconds');
    return counted;
  }

  function timesOfDay(codes, rows, unitsPerS, hasFrameRate, notes) {
    const seconds = new Float64Array(codes.length), units = new Float64Array(codes.length);
    codes.forEach((code, row) => {
      const found = /^(\d{1,6}):(\d{1,6}):(\d{1,6})[:;](\d{1,6}[.,]?\d*)$/.exec(code);
      const line = rows[row][0];
      if (!found) refuse(`line ${line}: "${shown(code)}" is not a timecode HH:MM:SS:FF.mmm`);
      if (!(unitsPerS[row] > 0)) refuse(`line ${line}: a FrameRate that is no rate`);
      seconds[row] = +found[1] * 3600 + +found[2] * 60 + +found[3];
      units[row] = number(found[4]);
    });
    const whole = units.map(Math.floor);
    const [rate, isSure] = hasFrameRate ? [null, true] : ownRate(seconds, whole);
    if (rate === null || !isSure) {
      if (!isSure) notes.push('FF of the timecode may count frames; read as sixtieths');
      return seconds.map((second, row) => second + units[row] / unitsPerS[row]);
    }
    notes.push(`FF of the timecode counts frames, taken as ${rate} a second`);
    const uneven = frames => {
      const steps = frames.subarray(1).map((frame, i) =>
        (seconds[i + 1] - seconds[i]) * rate + frame - frames[i]);
      const usual = median(steps);
      return steps.filter(step => Math.abs(step - usual) > 0.5).length;
    };
    const frames = uneven(units) < uneven(whole) ? units : whole;
    if (rate === 30 && dropsFrames(seconds, whole)) {                   // SMPTE 12M, 29.97
      const counts = seconds.map((second, row) => {
        const minutes = Math.floor(second / 60);
        return second * 30 + frames[row] - 2 * (minutes - Math.floor(minutes / 10));
      });
      return counts.map(count => seconds[0] + frames[0] / 30 + (count - counts[0]) * 1001 / 30000);
    }
    return seconds.map((second, row) => second + frames[row] / rate);
  }

  function ownRate(seconds, frames) {
    // [rate, is sure] at which FF is counted; the rate is null of sixtieths.
    const inside = [], rates = [];
    for (let i = 1; i < frames.length; i++) {
      const later_s = ((seconds[i] - seconds[i - 1]) % S_PER_DAY + S_PER_DAY) % S_PER_DAY;
      const step = frames[i] - frames[i - 1];
      if (later_s === 0 && step > 0) inside.push(step);
      if (later_s === 1) rates.push(step);
    }
    if (!rates.length || !inside.length) return [null, true];
    const usual = median(inside), own = rates.map(step => usual - step);
    const rate = Math.round(median(own));
    const highest = frames.reduce((most, frame) => Math.max(most, frame), 0);
    const same = own.filter(one => Math.abs(one - rate) <= 1).length / own.length;
    if (highest >= rate || (rate > 54 && rate < 66) || same < 0.75) return [null, true];
    const sorted = inside.sort((a, b) => a - b);
    const place = 0.9 * (sorted.length - 1), low = Math.floor(place);
    const ninety = sorted[low] + (place - low) * (sorted[Math.min(low + 1, sorted.length - 1)] -
      sorted[low]);
    if (rate < SIXTIETHS && SIXTIETHS - rate + usual < 2.5 * ninety) return [null, true];
    return [rate, own.length >= 2];
  }

  function dropsFrames(seconds, frames) {
    let any = false;
    for (let i = 1; i < frames.length; i++) {
      if (seconds[i] - seconds[i - 1] === 1 && seconds[i] % 60 === 0 &&
          Math.floor(seconds[i] / 60) % 10 !== 0) {
        any = true;
        if (frames[i] < 2) return false;
      }
    }
    return any;
  }

  const TIME_NAME = new RegExp('^(?:time|timestamps?|timecode|pts|ptstime|frametime|videotime|t)?' +
    '(?:in)?(?:(seconds?|secs?|s)|(milliseconds?|millis|msecs?|ms)' +
    '|(microseconds?|micros|usecs?|us|[\u00b5\u03bc]s)|(nanoseconds?|nanos|ns))?$');
  const UNITS = [['seconds', 1], ['milliseconds', 1e3], ['microseconds', 1e6],
    ['nanoseconds', 1e9]];
  const NO_SHAPE = new RegExp('^(frame|index|idx|image|img|file|path|video|name$|' +
    'face($|id|index|num|found|detected)|numfaces|success|detected|valid|confidence|score$|' +
    'fps$|width$|height$|date)');

  function readShapeTable({columns, rows}, low, notes) {
    const plain = low.map(name => name.replace(/[^\p{L}\p{N}]/gu, ''));
    const times = [];
    plain.forEach((name, place) => {
      const found = name && TIME_NAME.exec(name);
      if (found) times.push([place, UNITS.findIndex((_, i) => found[i + 1])]);
    });
    times.sort((a, b) => (a[1] < 0) - (b[1] < 0));
    if (!times.length) {
      refuse('line 1: expected a Live Link Face header, or a column `time` with the shapes ' +
        `beside it; found "${shown(columns.join(','))}"`);
    }
    const isAudio2Face = low.some(name => name.startsWith('blendshapes.'));
    const [time, unit] = times[0], beside = times.map(one => one[0]);
    const places = columns.map((_, place) => place).filter(
      place => !beside.includes(place) && !NO_SHAPE.test(plain[place]));
    const names = places.map(place => columns[place].split('.').pop());
    const counted = new Float64Array(rows.length), hasFace = new Uint8Array(rows.length).fill(1);
    const numbers = places.map(() => new Float64Array(rows.length));
    rows.forEach(([line, cells], row) => {
      if (cells.length !== columns.length) {
        refuse(`line ${line}: expected ${columns.length} numbers, found ${cells.length} cells`);
      }
      counted[row] = clock(cells[time]);
      let empty = true;
      places.forEach((place, i) => {
        numbers[i][row] = number(cells[place]);
        if (!Number.isNaN(numbers[i][row])) empty = false;
        else if (cells[place] && !/^nan$/i.test(cells[place])) {
          refuse(`line ${line}: "${shown(cells[place])}" is no number`);
        }
      });
      if (empty && !isAudio2Face) hasFace[row] = 0;
    });
    if (!isAudio2Face) withoutZeroRows(names, numbers, hasFace);
    return {times_s: secondsOf(columns[time], counted, unit, notes), names, columns: numbers,
      hasFace};
  }

  function withoutZeroRows(names, numbers, hasFace) {
    // A row of zeros is a lost face only where every other row has noise in many shapes.
    const shapes = numbers.filter((_, i) => CHANNEL_OF.has(names[i].toLowerCase()));
    const moving = Array.from(hasFace, (_, row) => shapes.filter(column => column[row]).length);
    const others = moving.filter((count, row) => hasFace[row] && count > 0);
    if (shapes.length < 10 || !others.length) return;
    if (Math.min(...others.slice(0, 1e5)) / shapes.length < 0.25) return;
    moving.forEach((count, row) => { if (!count) hasFace[row] = 0; });
  }

  function clock(cell) {
    const found = /^(?:(\d+):)?(\d+):(\d+(?:[.,]\d*)?)$/.exec(cell);
    return found ? +(found[1] || 0) * 3600 + +found[2] * 60 + number(found[3]) : number(cell);
  }

  function secondsOf(column, times, unit, notes) {
    // unit: place in UNITS, below 0 where no name says one: then the step from row to row does.
    const steps = times.subarray(1).map((time, i) => time - times[i]).filter(step => step > 0);
    const named = unit < 0 ? 0 : unit;
    if (!steps.length) return times.map(time => time / UNITS[named][1]);
    if (named === 0 && steps.length >= 8 && steps.length === times.length - 1 &&
        steps.every(step => step === 1)) {
      refuse(`: the column ${shown(column)} counts by 1, as frame numbers do; expected seconds`);
    }
    const step = median(steps);
    const fits = place => step / UNITS[place][1] > 1e-3 && step / UNITS[place][1] < 1;
    const taken = [named, 0, 1, 2, 3].find(fits);
    if (taken === undefined) return times.map(time => time / UNITS[named][1]);
    if (taken !== named) {
      notes.push(`the column ${shown(column)} steps by ${+step.toPrecision(6)}: taken as ` +
        UNITS[taken][0]);
    }
    return times.map(time => time / UNITS[taken][1]);
  }

  // ---- JSON

  function readJson(text, notes) {
    let content;
    try {
      content = JSON.parse(text);
    } catch (error) {
      refuse('is not JSON: ' + shown(error.message));
    }
    try {
      if (content && content.facsNames) return readAudio2Face(content);
      const packets = Array.isArray(content) ? content : [content];
      if (packets[0] && packets[0].scene) return readRokoko(packets, notes);
      if (content && content.frames) return readBeat(content, notes);
    } catch (error) {
      if (error instanceof TypeError) refuse('is JSON of another form: ' + shown(error.message));
      throw error;
    }
    return refuse('is JSON of none of the known forms (Audio2Face, Rokoko v3, BEAT)');
  }

  function columnsOf(rows, numNames) {
    rows.forEach((row, i) => {
      if (row.length !== numNames) {
        refuse(`has ${row.length} weights in frame ${i} for ${numNames} names`);
      }
    });
    return Array.from({length: numNames}, (_, place) =>
      Float64Array.from(rows, row => typeof row[place] === 'number' ? row[place] : NaN));
  }

  function readAudio2Face(content) {
    return {times_s: evenTimes(content.weightMat.length, content.exportFps),
      names: content.facsNames, columns: columnsOf(content.weightMat, content.facsNames.length)};
  }

  function readBeat(content, notes) {
    const {frames} = content, metadata = content.metadata || {};
    const names = content.names || metadata.blendshape_names;
    const timed = frames.filter(frame => 'time' in frame).length;
    if (timed && timed < frames.length) {
      refuse(`: ${frames.length - timed} of ${frames.length} frames have no time`);
    }
    let fps = metadata.fps === undefined ? content.fps : metadata.fps;
    if (!timed && fps === undefined) {
      notes.push('no times and no fps: taken as 60 a second');
      fps = 60;
    }
    const times_s = timed ? Float64Array.from(frames, frame => frame.time) :
      evenTimes(frames.length, fps);
    return {times_s, names, columns: columnsOf(frames.map(frame => frame.weights), names.length)};
  }

  function readRokoko(packets, notes) {
    const faces = packets.map(packet => packet.scene.actors.filter(actor => actor.face)
      .map(actor => actor.face));
    const some = faces.find(face => face.length);
    if (!some) refuse('has no actor with a face');
    if (faces.some(face => face.length > 1)) {
      notes.push('several actors have a face; the first is taken');
    }
    const names = Object.keys(some[0]).filter(name => CHANNEL_OF.has(name.toLowerCase()));
    const columns = names.map(name => Float64Array.from(
      faces, face => face.length ? Number(face[0][name]) / 100 : 0));
    const stamps = Float64Array.from(packets, packet => Number(packet.scene.timestamp));
    const rises = stamps.every((stamp, i) => !i || stamp > stamps[i - 1]);
    const times_s = rises ? secondsOf('timestamp', stamps, -1, notes) :
      evenTimes(packets.length, packets[0].fps);
    return {times_s, names, columns, hasFace: Uint8Array.from(faces, face => face.length ? 1 : 0)};
  }

  // ---- numpy's archive

  async function readNpz(bytes) {
    const arrays = {};
    for (const member of zipMembers(bytes)) {
      const key = member.name.replace(/\.npy$/, '');
      if (['weights', 'names', 'fps'].includes(key)) {
        arrays[key] = npyArray(key, await unpacked(member));
      }
    }
    const missing = ['weights', 'names', 'fps'].filter(key => !arrays[key]);
    if (missing.length) refuse(`lacks ${missing.join(', ')}; expected weights, names, fps`);
    const {weights, names, fps} = arrays, [numFrames, numNames] = weights.shape;
    if (weights.shape.length !== 2 || weights.kind !== 'f' || names.kind !== 'U' ||
        names.values.length !== numNames || fps.values.length !== 1) {
      refuse(`has weights [${weights.shape}] for ${names.values.length} names; expected ` +
        'numbers [frames, names]');
    }
    const columns = Array.from({length: numNames}, (_, place) => {
      const column = new Float64Array(numFrames);
      for (let i = 0; i < numFrames; i++) {
        column[i] = weights.values[
          weights.isFortran ? place * numFrames + i : i * numNames + place];
      }
      return column;
    });
    return {times_s: evenTimes(numFrames, Number(fps.values[0])), names: names.values, columns};
  }

  function zipMembers(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let end = bytes.length - 22;
    while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
    if (end < 0) refuse('is not an .npz: it has no list of its arrays');
    const members = [], count = view.getUint16(end + 10, true);
    let place = view.getUint32(end + 16, true);
    try {
      for (let i = 0; i < count; i++) {
        if (view.getUint32(place, true) !== 0x02014b50) refuse('is a damaged .npz');
        const short = at => view.getUint16(at, true), long = at => view.getUint32(at, true);
        const method = short(place + 10), size = long(place + 20);
        const nameBytes = short(place + 28), start = long(place + 42);
        const name = new TextDecoder().decode(bytes.subarray(place + 46, place + 46 + nameBytes));
        const from = start + 30 + short(start + 26) + short(start + 28);
        if (from + size > bytes.length) refuse('is a damaged .npz: an array is cut off');
        members.push({name, method, bytes: bytes.subarray(from, from + size)});
        place += 46 + nameBytes + short(place + 30) + short(place + 32);
      }
    } catch (error) {
      if (error instanceof RangeError) refuse('is a damaged .npz: its list is cut off');
      throw error;
    }
    return members;
  }

  async function unpacked(member) {
    if (member.method === 0) return member.bytes;
    if (member.method !== 8) refuse(`is packed by method ${member.method}; expected deflate`);
    const reader = new Blob([member.bytes]).stream()
      .pipeThrough(new DecompressionStream('deflate-raw')).getReader();
    const pieces = [];
    let total = 0;
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        total += next.value.length;
        if (total > MAX_UNPACKED) { reader.cancel(); break; }
        pieces.push(next.value);
      }
    } catch (error) {
      refuse('is a damaged .npz: an array cannot be unpacked');
    }
    if (total > MAX_UNPACKED) refuse('unpacks to more than 500 MB');
    const whole = new Uint8Array(total);
    let place = 0;
    for (const piece of pieces) { whole.set(piece, place); place += piece.length; }
    return whole;
  }

  function npyArray(key, bytes) {
    // {shape, kind, isFortran, values} of an .npy; kind f numbers, U text.
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (bytes.length < 12 || bytes[0] !== 0x93) refuse(`: ${key} is no array of numpy`);
    const isLong = bytes[6] > 1, start = isLong ? 12 : 10;
    const length = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
    const header = new TextDecoder('latin1').decode(bytes.subarray(start, start + length));
    const descr = /'descr':\s*'([<>|=])([fiuUS])(\d+)'/.exec(header);
    const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(header);
    if (!descr || !shape) refuse(`: ${key} is an array of another kind`);
    const [, order, kind, width] = descr, sizes = shape[1].split(',').filter(part => part.trim())
      .map(Number);
    const count = sizes.reduce((product, size) => product * size, 1);
    const itemBytes = kind === 'U' ? 4 * width : +width, from = start + length;
    if (!(count <= 1 << 27) || from + count * itemBytes > bytes.length) {
      refuse(`: ${key} is cut off`);
    }
    const little = order !== '>', values = new Array(kind === 'U' ? count : 0);
    if (kind === 'U') {
      for (let i = 0; i < count; i++) {
        let text = '';
        for (let j = 0; j < width; j++) {
          const letter = view.getUint32(from + (i * width + j) * 4, little);
          if (letter && letter < 0x110000) text += String.fromCodePoint(letter);
        }
        values[i] = text;
      }
      return {shape: sizes, kind, isFortran: false, values};
    }
    const reader = {f4: 'getFloat32', f8: 'getFloat64', i4: 'getInt32', i2: 'getInt16',
      i8: 'getBigInt64', u1: 'getUint8', u2: 'getUint16', u4: 'getUint32'}[kind + width];
    if (!reader) refuse(`: ${key} holds ${kind}${width}; expected float32`);
    const numbers = new Float64Array(count);
    for (let i = 0; i < count; i++) numbers[i] = Number(view[reader](from + i * itemBytes, little));
    return {shape: sizes, kind, isFortran: /'fortran_order':\s*True/.test(header), values: numbers};
  }

  // ---- MikuMikuDance

  const VMD_NAME_BYTES = 15, VMD_FPS = 30, VMD_BONE_BYTES = 111;
  const VMD_NAMES = new Map(ALL_CHANNELS.map(
    name => [name.slice(0, VMD_NAME_BYTES).toLowerCase(), name]));

  function readVmd(bytes, notes) {
    const begins = new TextDecoder('latin1').decode(bytes.subarray(0, 25));
    const isNew = begins.startsWith('Vocaloid Motion Data 0002');
    if (!isNew && !begins.startsWith('Vocaloid Motion Data file')) {
      refuse("is not MikuMikuDance's motion");
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const decoder = new TextDecoder('shift_jis');
    const keys = new Map(), others = new Set();
    try {
      let place = 30 + (isNew ? 20 : 10);
      place += 4 + view.getUint32(place, true) * VMD_BONE_BYTES;
      const count = view.getUint32(place, true);
      place += 4;
      if (place + count * 23 > bytes.length) refuse('ends before its morphs do; it was cut off');
      for (let i = 0; i < count; i++, place += 23) {
        let name = bytes.subarray(place, place + VMD_NAME_BYTES);
        const end = name.indexOf(0);
        name = decoder.decode(end < 0 ? name : name.subarray(0, end));
        const channel = VMD_NAMES.get(name.toLowerCase());
        if (!channel) { others.add(name); continue; }
        if (!keys.has(channel)) keys.set(channel, []);
        keys.get(channel).push(
          [view.getUint32(place + 15, true), view.getFloat32(place + 19, true)]);
      }
    } catch (error) {
      if (error instanceof RangeError) refuse('ends before its morphs do; it was cut off');
      throw error;
    }
    if (!keys.size) refuse(`: none of its ${others.size} morphs bears a name of the 52 shapes`);
    if (others.size) {
      notes.push(`${others.size} other morphs are left out, as ${shown([...others][0])}`);
    }
    let last = 0;
    for (const of of keys.values()) for (const key of of) last = Math.max(last, key[0]);
    if (last >= 6 * 3600 * VMD_FPS) {
      refuse(`has a key at frame ${last}; at most six hours are read`);
    }
    const columns = [...keys.values()].map(of => keyed(of, last + 1));
    return {times_s: evenTimes(last + 1, VMD_FPS), names: [...keys.keys()], columns};
  }

  function keyed(keys, numFrames) {
    // Float64Array [numFrames] of [frame, weight]s, lines between them, held at the ends.
    keys = keys.map((key, i) => [...key, i]).sort((a, b) => a[0] - b[0] || a[2] - b[2]);
    const column = new Float64Array(numFrames);
    for (let i = 0, at = 0; i < numFrames; i++) {
      while (at + 1 < keys.length && keys[at + 1][0] <= i) at++;
      const [from, value] = keys[at], next = keys[at + 1];
      column[i] = i <= from || !next ? value :
        value + (next[1] - value) * (i - from) / (next[0] - from);
    }
    return column;
  }

  // ---- VRM animation: an expression's weight is the x of its node's translation

  function readVrma(bytes, notes) {
    const [content, binary] = glbChunks(bytes);
    try {
      const extension = (content.extensions || {}).VRMC_vrm_animation;
      if (!extension) refuse('is no VRM animation: VRMC_vrm_animation is not in it');
      const names = new Map(), {expressions = {}} = extension;
      for (const kind of ['custom', 'preset']) {
        for (const [name, {node}] of Object.entries(expressions[kind] || {})) {
          if (!names.has(node)) names.set(node, name);
        }
      }
      const others = [...names.values()].filter(name => !arkitName(name));
      const {channels = [], samplers} = (content.animations || [{}])[0], tracks = new Map();
      for (const {sampler, target} of channels) {
        const shape = names.has(target.node) ? arkitName(names.get(target.node)) : null;
        if (!shape || target.path !== 'translation' || tracks.has(shape)) continue;
        const {input, output, interpolation} = samplers[sampler];
        const times_s = floats(content, binary, input, 1);
        const keys = floats(content, binary, output, 3);
        const width = interpolation === 'CUBICSPLINE' ? 9 : 3, from = width === 9 ? 3 : 0;
        if (keys.length !== times_s.length * width) {
          refuse(`has ${keys.length} numbers for ${times_s.length} keys of ${shape}`);
        }
        tracks.set(shape, {times_s, values: times_s.map((_, i) => keys[i * width + from])});
      }
      if (!tracks.size) refuse('moves no expression with an ARKit name');
      if (others.length) {
        notes.push(`${others.length} other expressions are left out, as ${shown(others[0])}`);
      }
      const times_s = joinedTimes([...tracks.values()].map(track => track.times_s));
      const columns = [...tracks.values()].map(track => valuesAt(track, times_s));
      return {times_s, names: [...tracks.keys()], columns};
    } catch (error) {
      if (error instanceof TypeError || error instanceof RangeError) {
        refuse('is a damaged VRM animation');
      }
      throw error;
    }
  }

  function joinedTimes(all) {
    const isSame = all.every(one => one === all[0] || (one.length === all[0].length &&
      one.every((time_s, i) => time_s === all[0][i])));
    if (isSame) return all[0];
    const seen = new Set();
    for (const one of all) for (const time_s of one) seen.add(time_s);
    return Float64Array.from(seen).sort();
  }

  function valuesAt(track, times_s) {
    if (track.times_s === times_s) return track.values;
    const clip = makeClip('', track.times_s, ['x'], [track.values]);
    return times_s.map(time_s => valueAt(clip, 'x', time_s));
  }

  function glbChunks(bytes) {
    // [the JSON chunk's content, a DataView of the binary chunk] of a .glb.
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (bytes.length < 20 || view.getUint32(0, true) !== 0x46546c67) refuse('is not binary glTF');
    const length = view.getUint32(12, true), next = 20 + length;
    if (next > bytes.length) refuse('ends within its JSON; export it again');
    let content;
    try {
      content = JSON.parse(new TextDecoder().decode(bytes.subarray(20, next)));
    } catch (error) {
      refuse('has JSON that cannot be read: ' + shown(error.message));
    }
    const hasBinary = next + 8 <= bytes.length, start = bytes.byteOffset + next + 8;
    const left = hasBinary ? bytes.length - next - 8 : 0;
    const size = hasBinary ? Math.min(view.getUint32(next, true), left) : 0;
    return [content, new DataView(bytes.buffer, hasBinary ? start : 0, size)];
  }

  function floats(content, binary, index, width) {
    // Float64Array of a float accessor of SCALAR (width 1) or VEC3 (width 3).
    const accessor = content.accessors[index], view = content.bufferViews[accessor.bufferView];
    if (accessor.componentType !== 5126 || accessor.sparse ||
        accessor.type !== (width === 1 ? 'SCALAR' : 'VEC3')) {
      refuse('keeps its keys in another form than plain floats');
    }
    const start = (view.byteOffset || 0) + (accessor.byteOffset || 0);
    const stride = view.byteStride || 4 * width, {count} = accessor;
    if (!(count >= 1 && count <= MAX_FRAMES && start >= 0 && start + (count - 1) * stride + 4 * width <=
        binary.byteLength)) {
      refuse('has keys that lie outside the file');
    }
    const values = new Float64Array(count * width);
    for (let i = 0; i < values.length; i++) {
      const place = start + Math.floor(i / width) * stride + i % width * 4;
      values[i] = binary.getFloat32(place, true);
    }
    return values;
  }

  function readGlbAnimation(buffer) {
    const {animation} = parseGlb(buffer);
    if (!animation) refuse('has no animation of ARKit morph targets');
    const {times_s, names, weights} = animation;
    return {times_s, names, columns: names.map((_, place) => Float64Array.from(
      times_s, (_, i) => weights[i * names.length + place]))};
  }

  return {readAnimation, isAnimationName};
})();
