// glTF 2.0 in one .glb file, read for showing: meshes at rest, morph targets, animated weights.
//
// Source: Khronos glTF 2.0 specification, "GLB File Format", "Accessors", "Geometry", "Skins".
// A plain script for a page that opens from disk; it defines parseGlb, arkitName,
// weldVertices and smoothNormals, and loads nothing.
//
// parseGlb(arrayBuffer) -> model. All lengths are in the scene's own space: node transforms,
// skins in the file's pose and negative scales are already applied.
//   meshes: [{name, positions Float32Array [3 n], normals Float32Array [3 n],
//             uvs Float32Array [2 n] or null, colors Float32Array [4 n] (linear) or null,
//             indices Uint32Array [3 triangles], material,
//             targets: [{name, arkit (ARKit name or null), defaultWeight,
//                        vertices Uint32Array [k], moves Float32Array [3 k]}]}]
//   material: {name, baseColor [4] (linear), image ({bytes, mimeType} or null), wrapS, wrapT,
//              doubleSided, alphaMode, alphaCutoff, roughness, metallic, isUnlit}
//   targetNames: every morph target's name once; arkitNames: {ARKit name: [names that mean it]}
//   animation: {name, times_s Float64Array, names, weights Float32Array [frames, names]} or null
//   bounds: {min, max, faceMin, faceMax}; the face is what the ARKit targets move
//   isFacingBack: whether the head looks along -Z, as VRM 0 has it
//   warnings: what is not shown, one line each
// Throws an Error of one line for what cannot be shown. Sizes are checked before anything is
// allocated.

var {parseGlb, arkitName, weldVertices, smoothNormals} = (function () {
  'use strict';

  const MAX_FILE_BYTES = 1 << 29;
  const MAX_JSON_BYTES = 1 << 26;
  const MAX_ITEMS = 1 << 16;            // of one list, such as nodes or accessors
  const MAX_VERTICES = 2000000;         // of all that is shown
  const MAX_TRIANGLES = 4000000;
  const MAX_PIECES = 4096;              // primitives shown, each a draw call
  const MAX_TARGETS = 512;              // of one mesh
  const MAX_ALL_TARGETS = 1 << 15;      // of all pieces
  const MAX_NUMBERS = 1 << 27;          // read in all; an accessor counts as often as it is read
  const MAX_WEIGHTS = 1 << 25;          // of the animation
  const MAX_IMAGE_SIDE = 16384;
  const MAX_IMAGE_PIXELS = 1 << 26;

  const ARKIT_NAMES = ('eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft ' +
    'eyeSquintLeft eyeWideLeft eyeBlinkRight eyeLookDownRight eyeLookInRight eyeLookOutRight ' +
    'eyeLookUpRight eyeSquintRight eyeWideRight jawForward jawLeft jawRight jawOpen mouthClose ' +
    'mouthFunnel mouthPucker mouthLeft mouthRight mouthSmileLeft mouthSmileRight ' +
    'mouthFrownLeft mouthFrownRight mouthDimpleLeft mouthDimpleRight mouthStretchLeft ' +
    'mouthStretchRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper ' +
    'mouthPressLeft mouthPressRight mouthLowerDownLeft mouthLowerDownRight mouthUpperUpLeft ' +
    'mouthUpperUpRight browDownLeft browDownRight browInnerUp browOuterUpLeft ' +
    'browOuterUpRight cheekPuff cheekSquintLeft cheekSquintRight noseSneerLeft ' +
    'noseSneerRight tongueOut').split(' ');
  const ARKIT_BY_KEY = new Map(ARKIT_NAMES.map(name => [name.toLowerCase(), name]));

  const NUM_COMPONENTS = {SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4, MAT2: 4, MAT3: 9, MAT4: 16};
  const BYTE = 5120, UBYTE = 5121, SHORT = 5122, USHORT = 5123, UINT = 5125, FLOAT = 5126;
  const COMPONENTS = {                  // bytes, reader, largest whole number
    [BYTE]: [1, 'getInt8', 127], [UBYTE]: [1, 'getUint8', 255],
    [SHORT]: [2, 'getInt16', 32767], [USHORT]: [2, 'getUint16', 65535],
    [UINT]: [4, 'getUint32', 4294967295], [FLOAT]: [4, 'getFloat32', 1]};
  const TRIANGLES = 4, STRIP = 5, FAN = 6;
  const UNREADABLE = {
    KHR_draco_mesh_compression: 'Draco', EXT_meshopt_compression: 'meshopt',
    KHR_meshopt_compression: 'meshopt', KHR_texture_basisu: 'KTX2 textures'};
  const READ_EXTENSIONS = new RegExp('^(KHR_mesh_quantization|KHR_texture_transform|' +
    'EXT_texture_webp|KHR_lights_punctual|KHR_materials_\\w+|VRM\\w*)$');
  const LEAST_MOVE = 1e-4;              // of a target's largest: what rounding leaves is dropped
  const FACE_MOVE = 0.1;                // of a target's largest: vertices that are of the face
  const IMAGE_TYPES = ['image/png', 'image/jpeg', 'image/webp'];

  class GlbError extends Error {}

  function refuse(line) {
    throw new GlbError(line);
  }

  function shown(value) {               // a file's text within a message
    return String(value).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').slice(0, 40);
  }

  function arkitName(targetName) {
    // The ARKit shape that a morph target's name means, or null. Case, separators and a prefix
    // that ends with a dot do not count; a side may be one letter: jaw_open, eyeBlink_L.
    const sided = targetName.trim().toLowerCase().replace(
      /[._\- ]([lr])$/, (_, side) => side === 'l' ? 'left' : 'right');
    const key = sided.slice(sided.lastIndexOf('.') + 1).replace(/[^a-z0-9]/g, '');
    return ARKIT_BY_KEY.get(key) || null;
  }

  // ---- the container

  function parseGlb(arrayBuffer) {
    try {
      return new GlbFile(arrayBuffer).model();
    } catch (error) {
      if (error instanceof GlbError) throw new Error(error.message);
      throw new Error('cannot be read as glTF: ' + shown(error.message));
    }
  }

  class GlbFile {
    constructor(arrayBuffer) {
      this.warnings = [];
      const bytes = new Uint8Array(arrayBuffer);
      if (bytes.length > MAX_FILE_BYTES) {
        refuse(`has ${bytes.length} bytes; a GLB of at most ${MAX_FILE_BYTES} is shown`);
      }
      const header = new DataView(arrayBuffer);
      if (bytes.length < 4 || header.getUint32(0, true) !== 0x46546c67) {
        refuse(bytes[0] === 0x7b ? 'is a .gltf of text; export it as one binary .glb'
          : 'is not a GLB: it does not begin with "glTF"');
      }
      if (bytes.length < 20) refuse('ends within its header; export it again');
      const version = header.getUint32(4, true), told = header.getUint32(8, true);
      if (version !== 2) refuse(`is GLB version ${version}; expected version 2`);
      if (told > bytes.length) {
        refuse(`has ${bytes.length} bytes and its header says ${told}; it is cut short`);
      }
      let place = 12, text = null;
      this.binary = bytes.subarray(0, 0);
      for (let number = 0; number < 2 && place < told; number++) {
        if (place + 8 > told) refuse('ends within the header of a chunk; export it again');
        const length = header.getUint32(place, true), kind = header.getUint32(place + 4, true);
        if (place + 8 + length > told) {
          refuse(`says a chunk has ${length} bytes and ${told - place - 8} are left`);
        }
        const chunk = bytes.subarray(place + 8, place + 8 + length);
        if (number === 0 && kind !== 0x4e4f534a) refuse('does not begin with a JSON chunk');
        if (number === 0) text = chunk;
        else if (kind === 0x004e4942) this.binary = chunk;
        place += 8 + length;
      }
      if (text === null) refuse('has no JSON chunk');
      if (text.length > MAX_JSON_BYTES) {
        refuse(`has ${text.length} bytes of JSON; at most ${MAX_JSON_BYTES} are read`);
      }
      try {
        this.document = JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(text));
      } catch (error) {
        refuse('has JSON that cannot be read: ' + shown(error.message));
      }
      if (!isObject(this.document)) refuse('has JSON that is no object');
      const asset = this.document.asset;
      if (!isObject(asset) || !/^2\./.test(asset.version)) {
        refuse(`says glTF ${shown(asset && asset.version)}; expected 2.0`);
      }
      for (const name of this.list(this.document, 'extensionsRequired', 'string')) {
        if (UNREADABLE[name]) {
          refuse(`is packed by ${UNREADABLE[name]}; export it without compression`);
        }
        if (!READ_EXTENSIONS.test(name)) refuse(`needs the extension ${shown(name)}`);
      }
      this.buffers = this.list(this.document, 'buffers').map((buffer, number) => {
        if (buffer.uri === undefined) return number === 0 ? this.binary : null;
        const data = dataUri(buffer.uri);
        return data && data.bytes;
      });
      for (const kind of ['accessors', 'bufferViews', 'nodes', 'meshes', 'materials', 'textures',
        'images', 'samplers', 'skins', 'scenes', 'animations']) {
        this[kind] = this.list(this.document, kind);
      }
      this.materialOf = new Map();
      this.imageOf = new Map();
      this.numVertices = this.numTriangles = this.numTargets = this.numNumbers = 0;
    }

    warn(line) {
      if (!this.warnings.includes(line) && this.warnings.length < 20) this.warnings.push(line);
    }

    // ---- what the JSON says, checked

    list(owner, key, of = 'object') {
      const items = owner[key] === undefined ? [] : owner[key];
      if (!Array.isArray(items) || items.length > MAX_ITEMS) {
        refuse(`has ${key} that ${Array.isArray(items) ? 'are too many' : 'are no list'}`);
      }
      if (!items.every(item => of === 'object' ? isObject(item)
        : typeof item === of && (of !== 'number' || Number.isFinite(item)))) {
        refuse(`has ${key} that are not all of type ${of}`);
      }
      return items;
    }

    object(owner, key) {
      const value = owner[key];
      if (value === undefined) return {};
      if (!isObject(value)) refuse(`has ${key} that is no object`);
      return value;
    }

    whole(owner, key, fallback, largest = Number.MAX_SAFE_INTEGER) {
      const value = owner[key] === undefined ? fallback : owner[key];
      if (!Number.isInteger(value) || value < 0 || value > largest) {
        refuse(`has ${key} ${shown(value)}; expected a whole number of at most ${largest}`);
      }
      return value;
    }

    number(owner, key, fallback) {
      const value = owner[key] === undefined ? fallback : owner[key];
      if (typeof value !== 'number' || !Number.isFinite(value)) {
        refuse(`has ${key} that is no number`);
      }
      return value;
    }

    numbers(owner, key, count, fallback) {
      if (owner[key] === undefined) return fallback;
      const values = this.list(owner, key, 'number');
      if (values.length !== count) {
        refuse(`has ${key} of ${values.length} numbers; expected ${count}`);
      }
      return values;
    }

    index(owner, key, kind) {           // a place in this[kind], or null where absent
      if (owner[key] === undefined) return null;
      return this.place(owner[key], kind);
    }

    place(value, kind) {
      if (!Number.isInteger(value) || value < 0 || value >= this[kind].length) {
        refuse(`names ${kind}[${shown(value)}] of ${this[kind].length}`);
      }
      return value;
    }

    // ---- accessors

    span(owner, start, size, stride, count, what) {
      // A DataView of `count` elements within a buffer view, after checking that they fit.
      const place = this.index(owner, 'bufferView', 'bufferViews');
      if (place === null) refuse(`has ${what} without bytes`);
      const view = this.bufferViews[place];
      const packed = Object.keys(this.object(view, 'extensions')).find(name => UNREADABLE[name]);
      if (packed) refuse(`is packed by ${UNREADABLE[packed]}; export it without compression`);
      const buffer = this.buffers[this.place(view.buffer, 'buffers')];
      if (!buffer) refuse('keeps its data in another file; export it as one .glb');
      const offset = this.whole(view, 'byteOffset', 0), length = this.whole(view, 'byteLength');
      if (offset + length > buffer.length) {
        refuse(`has a buffer view that ends at ${offset + length} of ${buffer.length} bytes`);
      }
      if (size === null) return buffer.subarray(offset, offset + length);
      stride = stride || size;
      const end = start + stride * (count - 1) + size;
      if (end > length) refuse(`has ${what} of ${end} bytes in a buffer view of ${length}`);
      return new DataView(buffer.buffer, buffer.byteOffset + offset + start, end - start);
    }

    accessor(place, types, what) {
      const accessor = this.accessors[this.place(place, 'accessors')];
      const count = this.whole(accessor, 'count');
      if (!types.includes(accessor.type)) {
        refuse(`has ${what} of type ${shown(accessor.type)}; expected ${types.join(' or ')}`);
      }
      if (!COMPONENTS[accessor.componentType]) {
        refuse(`has ${what} of component type ${shown(accessor.componentType)}`);
      }
      if (count < 1 || count > 3 * MAX_TRIANGLES) {
        refuse(`has ${what} of ${count} elements; expected 1 to ${3 * MAX_TRIANGLES}`);
      }
      const width = NUM_COMPONENTS[accessor.type];
      const size = width * COMPONENTS[accessor.componentType][0];
      return {accessor, count, width, size};
    }

    stride(owner) {
      const place = this.index(owner, 'bufferView', 'bufferViews');
      return this.whole(place === null ? {} : this.bufferViews[place], 'byteStride', 0, 252);
    }

    decode(view, count, width, componentType, stride, isShare, out) {
      // Numbers of `count` elements into `out`; whole numbers become shares where isShare.
      const [bytes, reader, largest] = COMPONENTS[componentType];
      const scale = isShare && componentType !== FLOAT ? 1 / largest : 1;
      stride = stride || width * bytes;
      if (componentType === FLOAT && stride === 4 * width && view.byteOffset % 4 === 0) {
        out.set(new Float32Array(view.buffer, view.byteOffset, count * width));
        return out;                     // as it is, since every browser's machine is little-endian
      }
      for (let element = 0, at = 0; element < count; element++) {
        for (let k = 0, place = element * stride; k < width; k++, place += bytes) {
          const value = view[reader](place, true) * scale;
          out[at++] = scale !== 1 && value < -1 ? -1 : value;
        }
      }
      return out;
    }

    sparse(accessor, count, width, what) {
      // {vertices, values} of an accessor's sparse part, or null where it has none.
      if (accessor.sparse === undefined) return null;
      const sparse = this.object(accessor, 'sparse'), num = this.whole(sparse, 'count');
      if (num < 1 || num > count) refuse(`has ${what} with ${num} sparse of ${count} elements`);
      const where = this.object(sparse, 'indices'), which = where.componentType;
      if (![UBYTE, USHORT, UINT].includes(which)) refuse(`has ${what} with odd sparse indices`);
      this.count(num * width);
      const size = COMPONENTS[which][0], values = this.object(sparse, 'values');
      const size3 = width * COMPONENTS[accessor.componentType][0];
      const views = [
        this.span(where, this.whole(where, 'byteOffset', 0), size, 0, num, what),
        this.span(values, this.whole(values, 'byteOffset', 0), size3, 0, num, what)];
      const vertices = this.decode(views[0], num, 1, which, 0, false, new Uint32Array(num));
      if (vertices.some(vertex => vertex >= count)) {
        refuse(`has ${what} with sparse indices out of range`);
      }
      return {vertices, values: this.decode(views[1], num, width, accessor.componentType, 0,
        accessor.normalized === true, new Float32Array(num * width))};
    }

    values(place, types, what, {isShare, isWhole, expected} = {}) {
      // Every element of an accessor: Float32Array, or Uint32Array where isWhole.
      const {accessor, count, width, size} = this.accessor(place, types, what);
      if (expected !== undefined && count !== expected) {
        refuse(`has ${count} ${what}; expected ${expected}`);
      }
      if (isWhole && ![UBYTE, USHORT, UINT].includes(accessor.componentType)) {
        refuse(`has ${what} that are no whole numbers`);
      }
      const stride = this.stride(accessor), start = this.whole(accessor, 'byteOffset', 0);
      const view = accessor.bufferView === undefined ? null
        : this.span(accessor, start, size, stride, count, what);
      const sparse = this.sparse(accessor, count, width, what);
      this.count(count * width);
      const out = new (isWhole ? Uint32Array : Float32Array)(count * width);
      const share = isShare === undefined ? accessor.normalized === true : isShare;
      if (view) {
        this.decode(view, count, width, accessor.componentType, stride, share, out);
      }
      if (sparse) {
        sparse.vertices.forEach((vertex, k) => {
          for (let j = 0; j < width; j++) out[vertex * width + j] = sparse.values[k * width + j];
        });
      }
      if (!isWhole && !areFinite(out)) refuse(`has ${what} that are no numbers`);
      return {values: out, count, width, componentType: accessor.componentType};
    }

    moves(place, numVertices) {
      // {vertices, moves} of a target's displacements, without those that stay.
      const {accessor, count} = this.accessor(place, ['VEC3'], 'morph displacements');
      if (count !== numVertices) {
        refuse(`has a morph target of ${count} vertices; its mesh has ${numVertices}`);
      }
      let vertices, values;
      if (accessor.bufferView === undefined) {
        const sparse = this.sparse(accessor, count, 3, 'morph displacements');
        if (!sparse) return {vertices: new Uint32Array(0), moves: new Float32Array(0)};
        ({vertices, values} = sparse);
        if (!areFinite(values)) refuse('has morph displacements that are no numbers');
      } else {
        values = this.values(place, ['VEC3'], 'morph displacements').values;
      }
      const least = LEAST_MOVE * largestMove(values), kept = new Uint32Array(values.length / 3);
      const moves = new Float32Array(values.length);
      let num = 0;
      for (let k = 0; k < kept.length; k++) {
        const length = lengthAt(values, k);
        if (!(length > 0 && length >= least)) continue;
        for (let j = 0; j < 3; j++) moves[3 * num + j] = values[3 * k + j];
        kept[num++] = vertices ? vertices[k] : k;
      }
      return {vertices: kept.slice(0, num), moves: moves.slice(0, 3 * num)};
    }

    count(numbers) {
      this.numNumbers += numbers;
      this.bound(this.numNumbers, MAX_NUMBERS, 'numbers');
    }

    bound(value, largest, what) {
      if (value > largest) refuse(`has ${value} ${what}; at most ${largest} are shown`);
    }

    // ---- the scene

    model() {
      const worlds = this.worldMatrices(), pieces = [];
      worlds.forEach((world, place) => {
        const node = this.nodes[place], mesh = this.index(node, 'mesh', 'meshes');
        if (mesh !== null) this.addMesh(pieces, node, this.meshes[mesh], world, worlds);
      });
      if (!pieces.length) refuse('has no triangles to show');
      const targetNames = new Set(), arkitNames = {};
      for (const {name, arkit} of pieces.flatMap(piece => piece.targets)) {
        if (arkit && !targetNames.has(name)) {
          (arkitNames[arkit] = arkitNames[arkit] || []).push(name);
        }
        targetNames.add(name);
      }
      if (!Object.keys(arkitNames).length) {
        this.warn(targetNames.size ? 'its morph targets have no ARKit names; the face stays still'
          : 'it has no morph targets; the face stays still');
      }
      let animation = null;
      try {
        animation = this.animation();
      } catch (error) {
        this.warn('its animation cannot be read: it ' + shown(error.message));
      }
      const extensions = this.object(this.document, 'extensions');
      return {meshes: pieces, targetNames: [...targetNames], arkitNames, animation,
        bounds: bounds(pieces), isFacingBack: isObject(extensions.VRM), warnings: this.warnings};
    }

    worldMatrices() {
      // Map of the scene's nodes to their matrices (column-major, as glTF's).
      const children = this.nodes.map(node => this.list(node, 'children', 'number'));
      let roots;
      if (this.scenes.length) {
        const scene = this.scenes[this.place(
          this.document.scene === undefined ? 0 : this.document.scene, 'scenes')];
        roots = this.list(scene, 'nodes', 'number');
      } else {
        const owned = new Set(children.flat());
        roots = this.nodes.map((_, place) => place).filter(place => !owned.has(place));
      }
      const worlds = new Map(), waiting = roots.map(root => [root, null]);
      while (waiting.length) {
        const [place, parent] = waiting.pop();
        this.place(place, 'nodes');
        if (worlds.has(place)) refuse(`shows node ${place} twice: its nodes form a circle`);
        const local = this.localMatrix(this.nodes[place]);
        const world = parent ? multiplied(parent, local) : local;
        if (!areFinite(world)) refuse(`has node ${place} scaled beyond all numbers`);
        worlds.set(place, world);
        for (const child of children[place]) waiting.push([child, world]);
      }
      return worlds;
    }

    localMatrix(node) {
      const matrix = this.numbers(node, 'matrix', 16, null);
      if (matrix) return matrix;
      const [x, y, z, w] = unit(this.numbers(node, 'rotation', 4, [0, 0, 0, 1]));
      const [sx, sy, sz] = this.numbers(node, 'scale', 3, [1, 1, 1]);
      const [tx, ty, tz] = this.numbers(node, 'translation', 3, [0, 0, 0]);
      return [
        (1 - 2 * (y * y + z * z)) * sx, 2 * (x * y + z * w) * sx, 2 * (x * z - y * w) * sx, 0,
        2 * (x * y - z * w) * sy, (1 - 2 * (x * x + z * z)) * sy, 2 * (y * z + x * w) * sy, 0,
        2 * (x * z + y * w) * sz, 2 * (y * z - x * w) * sz, (1 - 2 * (x * x + y * y)) * sz, 0,
        tx, ty, tz, 1];
    }

    jointMatrices(skin, worlds) {
      const joints = this.list(skin, 'joints', 'number'), inverse = this.index(
        skin, 'inverseBindMatrices', 'accessors');
      if (!joints.length) refuse('has a skin without joints');
      this.count(16 * joints.length);
      const binds = inverse === null ? null
        : this.values(inverse, ['MAT4'], 'inverse bind matrices');
      if (binds && binds.count < joints.length) {
        refuse(`has ${binds.count} inverse bind matrices for ${joints.length} joints`);
      }
      return joints.map((joint, k) => {
        this.place(joint, 'nodes');
        const world = worlds.get(joint) || IDENTITY;
        return binds ? multiplied(world, binds.values.subarray(16 * k, 16 * k + 16)) : world;
      });
    }

    targetsOf(mesh, primitives, node) {
      // [{name, arkit, defaultWeight}] of the mesh's targets.
      const count = this.list(primitives[0], 'targets').length;
      this.bound(count, MAX_TARGETS, 'morph targets in one mesh');
      let names = [];
      for (const owner of [mesh, primitives[0]]) {     // VRM 0 writes them to the primitive
        if (!names.length && isObject(owner.extras) && owner.extras.targetNames !== undefined) {
          names = this.list(owner.extras, 'targetNames', 'string');
        }
      }
      const weights = node.weights !== undefined ? this.list(node, 'weights', 'number')
        : this.list(mesh, 'weights', 'number');
      const targets = [];
      for (let k = 0; k < count; k++) {
        targets.push({name: names[k] === undefined ? 'target ' + k : names[k], arkit: null,
          defaultWeight: Number.isFinite(weights[k]) ? weights[k] : 0});
      }
      // Where two targets mean one shape, the one spelt as ARKit's counts: both would double it.
      const taken = new Set();
      for (const isExact of [true, false]) {
        for (const target of targets) {
          const arkit = arkitName(target.name);
          if (arkit && !target.arkit && !taken.has(arkit) && (arkit === target.name) === isExact) {
            target.arkit = arkit;
            taken.add(arkit);
          }
        }
      }
      return targets;
    }

    addMesh(pieces, node, mesh, world, worlds) {
      const primitives = this.list(mesh, 'primitives');
      if (!primitives.length) return;
      const targets = this.targetsOf(mesh, primitives, node);
      const skin = this.index(node, 'skin', 'skins');
      const joints = skin === null ? null : this.jointMatrices(this.skins[skin], worlds);
      for (const primitive of primitives) {
        const mode = this.whole(primitive, 'mode', TRIANGLES, FAN);
        if (mode < TRIANGLES) {
          this.warn('its points and lines are left out');
          continue;
        }
        this.bound(pieces.length + 1, MAX_PIECES, 'pieces');
        this.numTargets += targets.length;
        this.bound(this.numTargets, MAX_ALL_TARGETS, 'morph targets');
        const piece = this.piece(primitive, mode, targets, world, joints);
        piece.name = shown(typeof mesh.name === 'string' ? mesh.name
          : typeof node.name === 'string' ? node.name : '');
        if (piece.indices.length) pieces.push(piece);
      }
    }

    piece(primitive, mode, meshTargets, world, joints) {
      const attributes = this.object(primitive, 'attributes');
      if (this.object(primitive, 'extensions').KHR_draco_mesh_compression
          && (attributes.POSITION === undefined
              || this.accessors[this.place(attributes.POSITION, 'accessors')].bufferView
                 === undefined)) {
        refuse('is packed by Draco; export it without compression');
      }
      if (attributes.POSITION === undefined) refuse('has a mesh without positions');
      const {count} = this.accessor(attributes.POSITION, ['VEC3'], 'positions');
      this.numVertices += count;
      this.bound(this.numVertices, MAX_VERTICES, 'vertices');
      const positions = this.values(attributes.POSITION, ['VEC3'], 'positions').values;
      const optional = (key, types, what, isShare) => attributes[key] === undefined ? null
        : this.values(attributes[key], types, what, {expected: count, isShare});
      let indices = this.triangles(primitive, mode, count);
      const normalValues = optional('NORMAL', ['VEC3'], 'normals');
      let normals = normalValues && normalValues.values;
      const color = optional('COLOR_0', ['VEC3', 'VEC4'], 'colours', true);
      const material = this.material(this.index(primitive, 'material', 'materials'));
      let uvs = null;
      if (material.image && attributes['TEXCOORD_' + material.texCoord] !== undefined) {
        uvs = optional('TEXCOORD_' + material.texCoord, ['VEC2'], 'texture coordinates').values;
        uvs = transformedUvs(uvs, material.uvTransform);
      }
      const own = this.list(primitive, 'targets');
      if (own.length !== meshTargets.length) {
        refuse(`has a mesh of ${meshTargets.length} and ${own.length} morph targets`);
      }
      const targets = meshTargets.map((target, k) => Object.assign({}, target,
        own[k].POSITION === undefined
          ? {vertices: new Uint32Array(0), moves: new Float32Array(0)}
          : this.moves(own[k].POSITION, count)));
      // Into the scene's space.
      const matrixOf = joints ? this.skinning(attributes, count, joints, world) : () => world;
      let isMirrored = 0;
      const moved = new Float32Array(3 * count), turned = normals && new Float32Array(3 * count);
      for (let vertex = 0; vertex < count; vertex++) {
        const matrix = matrixOf(vertex), at = 3 * vertex;
        const x = positions[at], y = positions[at + 1], z = positions[at + 2];
        for (let k = 0; k < 3; k++) {
          moved[at + k] = matrix[k] * x + matrix[4 + k] * y + matrix[8 + k] * z + matrix[12 + k];
        }
        if (turned) turnedNormal(matrix, normals, at, turned);
        if (determinant(matrix) < 0) isMirrored++;
      }
      if (!areFinite(moved)) refuse('has positions beyond all numbers');
      for (const {vertices, moves} of targets) {
        for (let k = 0; k < vertices.length; k++) {
          const matrix = matrixOf(vertices[k]);
          const x = moves[3 * k], y = moves[3 * k + 1], z = moves[3 * k + 2];
          for (let j = 0; j < 3; j++) {
            moves[3 * k + j] = matrix[j] * x + matrix[4 + j] * y + matrix[8 + j] * z;
          }
        }
        if (!areFinite(moves)) refuse('has morph displacements beyond all numbers');
      }
      if (isMirrored > count / 2) {
        indices = indices.slice();
        for (let at = 0; at < indices.length; at += 3) {
          [indices[at + 1], indices[at + 2]] = [indices[at + 2], indices[at + 1]];
        }
      }
      const seen = turned && turned.some(value => value !== 0);
      normals = seen ? turned : smoothNormals(moved, indices, weldVertices(moved, null));
      return {positions: moved, normals, uvs, colors: color && rgba(color), indices, material,
        targets};
    }

    triangles(primitive, mode, numVertices) {
      let corners;
      const numCorners = primitive.indices === undefined ? numVertices
        : this.accessor(primitive.indices, ['SCALAR'], 'indices').count;
      const count = mode === TRIANGLES ? Math.floor(numCorners / 3) : Math.max(numCorners - 2, 0);
      this.numTriangles += count;
      this.bound(this.numTriangles, MAX_TRIANGLES, 'triangles');
      if (primitive.indices === undefined) {
        corners = Uint32Array.from({length: numVertices}, (_, place) => place);
      } else {
        corners = this.values(primitive.indices, ['SCALAR'], 'indices', {isWhole: true}).values;
        for (const corner of corners) {
          if (corner >= numVertices) {
            refuse(`has an index ${corner} in a mesh of ${numVertices} vertices`);
          }
        }
      }
      if (mode === TRIANGLES) return corners.subarray(0, 3 * count);
      const out = new Uint32Array(3 * count);
      for (let k = 0; k < count; k++) {
        const odd = mode === STRIP ? k % 2 : 0;
        out[3 * k] = corners[mode === FAN ? 0 : k];
        out[3 * k + 1] = corners[k + 1 + odd];
        out[3 * k + 2] = corners[k + 2 - odd];
      }
      return out;
    }

    skinning(attributes, count, joints, world) {
      // A function of the vertex: its matrix, the mean of its joints'.
      const sets = [];
      for (let set = 0; set < 2 && attributes['JOINTS_' + set] !== undefined; set++) {
        const names = this.values(attributes['JOINTS_' + set], ['VEC4'], 'joints',
          {isWhole: true, expected: count});
        if (attributes['WEIGHTS_' + set] === undefined) refuse('has joints without weights');
        const weights = this.values(attributes['WEIGHTS_' + set], ['VEC4'], 'joint weights',
          {expected: count, isShare: true});
        names.values.forEach((joint, at) => {
          if (weights.values[at] !== 0 && joint >= joints.length) {
            refuse(`has a vertex of joint ${joint}; its skin has ${joints.length}`);
          }
        });
        sets.push([names.values, weights.values]);
      }
      if (!sets.length) return () => world;
      const matrix = new Float64Array(16);
      return vertex => {
        let total = 0;
        matrix.fill(0);
        for (const [names, weights] of sets) {
          for (let at = 4 * vertex; at < 4 * vertex + 4; at++) {
            const weight = weights[at];
            if (weight === 0) continue;
            const joint = joints[names[at]];
            for (let k = 0; k < 16; k++) matrix[k] += weight * joint[k];
            total += weight;
          }
        }
        if (!(total > 0)) return world;
        for (let k = 0; k < 16; k++) matrix[k] /= total;
        return matrix;
      };
    }

    // ---- materials

    material(place) {
      if (!this.materialOf.has(place)) {
        this.materialOf.set(place, this.readMaterial(place === null ? {} : this.materials[place]));
      }
      return this.materialOf.get(place);
    }

    readMaterial(content) {
      const extensions = this.object(content, 'extensions');
      const metallic = this.object(content, 'pbrMetallicRoughness');
      const glossy = extensions.KHR_materials_pbrSpecularGlossiness;
      const base = isObject(glossy) ? glossy : metallic;
      const factor = isObject(glossy) ? 'diffuseFactor' : 'baseColorFactor';
      const texture = isObject(glossy) ? 'diffuseTexture' : 'baseColorTexture';
      const alphaMode = ['MASK', 'BLEND'].includes(content.alphaMode) ? content.alphaMode
        : 'OPAQUE';
      const material = {
        name: typeof content.name === 'string' ? shown(content.name) : '',
        baseColor: this.numbers(base, factor, 4, [1, 1, 1, 1]), image: null, texCoord: 0,
        wrapS: 10497, wrapT: 10497, uvTransform: null, doubleSided: content.doubleSided === true,
        alphaMode, alphaCutoff: this.number(content, 'alphaCutoff', 0.5),
        roughness: this.number(metallic, 'roughnessFactor', 1),
        metallic: this.number(metallic, 'metallicFactor', isObject(glossy) ? 0 : 1),
        isUnlit: isObject(extensions.KHR_materials_unlit)};
      if (base[texture] !== undefined) {
        this.readTexture(material, this.object(base, texture));
      }
      return material;
    }

    readTexture(material, info) {
      const place = this.index(info, 'index', 'textures');
      if (place === null) return;
      const texture = this.textures[place], extensions = this.object(texture, 'extensions');
      const webp = extensions.EXT_texture_webp;
      const source = this.index(isObject(webp) ? webp : texture, 'source', 'images');
      material.image = source === null ? null : this.image(source);
      if (source === null) this.warn('it has textures of a kind that is not shown (KTX2)');
      const sampler = this.index(texture, 'sampler', 'samplers');
      if (sampler !== null) {
        for (const key of ['wrapS', 'wrapT']) {
          const wrap = this.samplers[sampler][key];
          if ([33071, 33648, 10497].includes(wrap)) material[key] = wrap;
        }
      }
      material.texCoord = this.whole(info, 'texCoord', 0, 7);
      const transform = this.object(info, 'extensions').KHR_texture_transform;
      if (isObject(transform)) {
        material.texCoord = this.whole(transform, 'texCoord', material.texCoord, 7);
        material.uvTransform = {
          offset: this.numbers(transform, 'offset', 2, [0, 0]),
          scale: this.numbers(transform, 'scale', 2, [1, 1]),
          rotation: this.number(transform, 'rotation', 0)};
      }
    }

    image(place) {
      if (!this.imageOf.has(place)) this.imageOf.set(place, this.readImage(this.images[place]));
      return this.imageOf.get(place);
    }

    readImage(content) {
      let found;
      if (content.uri !== undefined) {
        found = dataUri(content.uri);
        if (!found) {
          this.warn('it has an image in another file, which is not shown');
          return null;
        }
      } else {
        found = {bytes: this.span(content, 0, null, 0, 0, 'an image'), mimeType: content.mimeType};
      }
      const {bytes} = found, [mimeType, width, height] = imageSize(bytes);
      if (!IMAGE_TYPES.includes(mimeType)) {
        this.warn('it has an image that is neither PNG nor JPEG nor WebP, which is not shown');
        return null;
      }
      if (!width || !height || width > MAX_IMAGE_SIDE || height > MAX_IMAGE_SIDE
          || width * height > MAX_IMAGE_PIXELS) {
        this.warn(`it has an image of ${width} x ${height} pixels, which is not shown`);
        return null;
      }
      return {bytes, mimeType, width, height};
    }

    // ---- the animation

    animation() {
      const order = this.animations.slice().sort(
        (a, b) => (a.name !== 'speech') - (b.name !== 'speech'));
      for (const animation of order) {
        const tracks = this.tracks(animation);
        if (tracks.length) {
          return joinedTracks(typeof animation.name === 'string' ? animation.name : '', tracks);
        }
      }
      return null;
    }

    tracks(animation) {
      // [{arkit, times_s, values}] of the animation's weights channels; the first of a shape.
      const samplers = this.list(animation, 'samplers'), tracks = [];
      for (const channel of this.list(animation, 'channels')) {
        const target = this.object(channel, 'target');
        if (target.path !== 'weights' || target.node === undefined) continue;
        const node = this.nodes[this.place(target.node, 'nodes')];
        const mesh = this.meshes[this.place(node.mesh, 'meshes')];
        const primitives = this.list(mesh, 'primitives');
        if (!primitives.length) continue;
        const names = this.targetsOf(mesh, primitives, node).map(({arkit}) => arkit);
        if (!names.some(Boolean)) continue;
        const sampler = samplers[this.whole(channel, 'sampler', undefined, samplers.length - 1)];
        const times_s = this.values(sampler.input, ['SCALAR'], 'key times').values;
        const values = this.values(sampler.output, ['SCALAR'], 'key weights',
          {isShare: true}).values;
        const group = sampler.interpolation === 'CUBICSPLINE' ? 3 : 1;
        if (values.length !== times_s.length * names.length * group) {
          refuse(`has ${values.length} weights for ${times_s.length} keys`);
        }
        if (times_s[0] < 0 || times_s.some((time, k) => k && !(time > times_s[k - 1]))) {
          refuse('has key times that do not rise');
        }
        names.forEach((arkit, k) => {
          if (!arkit || tracks.some(track => track.arkit === arkit)) return;
          const first = (group === 3 ? names.length : 0) + k, step = group * names.length;
          tracks.push({arkit, times_s,
            values: Float32Array.from(times_s, (_, key) => values[key * step + first])});
        });
      }
      return tracks;
    }
  }

  function joinedTracks(name, tracks) {
    let times_s = Float64Array.from(tracks[0].times_s);
    const isSame = tracks.every(track => track.times_s.length === times_s.length
      && track.times_s.every((time, k) => time === times_s[k]));
    if (!isSame) {
      const all = new Set();
      for (const track of tracks) track.times_s.forEach(time => all.add(time));
      times_s = Float64Array.from(all).sort();
    }
    if (times_s.length * tracks.length > MAX_WEIGHTS) refuse('has too many keys');
    const weights = new Float32Array(times_s.length * tracks.length);
    tracks.forEach((track, column) => {
      let key = 0;
      times_s.forEach((time, frame) => {
        const last = track.times_s.length - 1;
        while (key < last && track.times_s[key + 1] <= time) key++;
        const start = track.times_s[key], end = track.times_s[Math.min(key + 1, last)];
        const share = end > start ? Math.min(Math.max((time - start) / (end - start), 0), 1) : 0;
        weights[frame * tracks.length + column] = track.values[key] * (1 - share)
          + track.values[Math.min(key + 1, last)] * share;
      });
    });
    return {name, times_s, names: tracks.map(({arkit}) => arkit), weights};
  }

  // ---- small things

  const IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

  function isObject(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  }

  function multiplied(a, b) {
    const out = new Array(16);
    for (let column = 0; column < 16; column += 4) {
      for (let row = 0; row < 4; row++) {
        out[column + row] = a[row] * b[column] + a[4 + row] * b[column + 1]
          + a[8 + row] * b[column + 2] + a[12 + row] * b[column + 3];
      }
    }
    return out;
  }

  function determinant(m) {
    return m[0] * (m[5] * m[10] - m[9] * m[6]) - m[4] * (m[1] * m[10] - m[9] * m[2])
      + m[8] * (m[1] * m[6] - m[5] * m[2]);
  }

  function unit(values) {
    const length = Math.hypot(...values);
    return length > 0 ? values.map(value => value / length) : [0, 0, 0, 1];
  }

  function turnedNormal(m, normals, at, out) {
    // By the cofactors, which are right for uneven scales, too.
    const [x, y, z] = [normals[at], normals[at + 1], normals[at + 2]];
    const side = determinant(m) < 0 ? -1 : 1;
    const a = (m[5] * m[10] - m[6] * m[9]) * x + (m[2] * m[9] - m[1] * m[10]) * y
      + (m[1] * m[6] - m[2] * m[5]) * z;
    const b = (m[6] * m[8] - m[4] * m[10]) * x + (m[0] * m[10] - m[2] * m[8]) * y
      + (m[2] * m[4] - m[0] * m[6]) * z;
    const c = (m[4] * m[9] - m[5] * m[8]) * x + (m[1] * m[8] - m[0] * m[9]) * y
      + (m[0] * m[5] - m[1] * m[4]) * z;
    const length = side * Math.hypot(a, b, c);
    if (length) [out[at], out[at + 1], out[at + 2]] = [a / length, b / length, c / length];
  }

  function transformedUvs(uvs, transform) {
    if (!transform) return uvs;
    const cos = Math.cos(transform.rotation), sin = Math.sin(transform.rotation);
    const out = new Float32Array(uvs.length);
    for (let at = 0; at < uvs.length; at += 2) {
      const u = uvs[at] * transform.scale[0], v = uvs[at + 1] * transform.scale[1];
      out[at] = cos * u + sin * v + transform.offset[0];
      out[at + 1] = cos * v - sin * u + transform.offset[1];
    }
    return out;
  }

  function rgba({values, count, width}) {
    if (width === 4) return values;
    const out = new Float32Array(4 * count).fill(1);
    for (let vertex = 0; vertex < count; vertex++) {
      out.set(values.subarray(3 * vertex, 3 * vertex + 3), 4 * vertex);
    }
    return out;
  }

  function bounds(pieces) {
    const box = {min: [Infinity, Infinity, Infinity], max: [-Infinity, -Infinity, -Infinity],
      faceMin: [Infinity, Infinity, Infinity], faceMax: [-Infinity, -Infinity, -Infinity]};
    function widen(low, high, values, at) {
      for (let k = 0; k < 3; k++) {
        low[k] = Math.min(low[k], values[at + k]);
        high[k] = Math.max(high[k], values[at + k]);
      }
    }
    for (const {positions, targets} of pieces) {
      for (let at = 0; at < positions.length; at += 3) widen(box.min, box.max, positions, at);
      for (const {arkit, vertices, moves} of targets) {
        if (!arkit) continue;
        const least = FACE_MOVE * largestMove(moves);
        vertices.forEach((vertex, k) => {
          if (lengthAt(moves, k) >= least) {
            widen(box.faceMin, box.faceMax, positions, 3 * vertex);
          }
        });
      }
    }
    if (!(box.faceMax[0] >= box.faceMin[0])) [box.faceMin, box.faceMax] = [box.min, box.max];
    return box;
  }

  function largestMove(moves) {
    let largest = 0;
    for (let k = 0; k < moves.length / 3; k++) largest = Math.max(largest, lengthAt(moves, k));
    return largest;
  }

  function lengthAt(moves, k) {
    const x = moves[3 * k], y = moves[3 * k + 1], z = moves[3 * k + 2];
    return Math.sqrt(x * x + y * y + z * z);
  }

  function areFinite(values) {
    for (let at = 0; at < values.length; at++) if (!Number.isFinite(values[at])) return false;
    return true;
  }

  function dataUri(uri) {
    // {bytes, mimeType} of a data: URI in base64, or null.
    const parts = typeof uri === 'string'
      && /^data:([^;,]{0,80})(?:;[^,]{0,80})?;base64,/.exec(uri.slice(0, 200));
    if (!parts) return null;
    let text;
    try {
      text = atob(uri.slice(parts[0].length));
    } catch (error) {
      return null;
    }
    return {bytes: Uint8Array.from(text, letter => letter.charCodeAt(0)), mimeType: parts[1]};
  }

  function imageSize(bytes) {
    // [MIME type, width, height] by an image's own header; [null] for another file.
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (bytes.length > 24 && view.getUint32(0) === 0x89504e47) {
      return ['image/png', view.getUint32(16), view.getUint32(20)];
    }
    if (bytes.length > 30 && view.getUint32(0) === 0x52494646 && view.getUint32(8) === 0x57454250) {
      const kind = view.getUint32(12);
      if (kind === 0x56503858) {                                // VP8X
        return ['image/webp', 1 + (view.getUint32(24, true) & 0xffffff),
          1 + (view.getUint32(26, true) >>> 8)];
      }
      if (kind === 0x5650384c) {                                // VP8L
        const bits = view.getUint32(21, true);
        return ['image/webp', 1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff)];
      }
      return ['image/webp', view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
    }
    if (bytes.length > 4 && view.getUint16(0) === 0xffd8) {
      for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff;) {
        const kind = bytes[at + 1];
        if (kind >= 0xc0 && kind <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(kind)) {
          return ['image/jpeg', view.getUint16(at + 7), view.getUint16(at + 5)];
        }
        at += kind === 0xff ? 1 : 2 + Math.max(view.getUint16(at + 2), 2);
      }
      return ['image/jpeg', 0, 0];
    }
    return [null, 0, 0];
  }

  function weldVertices(positions, normals) {
    // Uint32Array: for each vertex the first one at the same place (and of a like normal), so
    // that a seam of a texture is no seam of the light.
    const count = positions.length / 3, size = 1 << Math.ceil(Math.log2(2 * count + 2));
    const bits = new Int32Array(Float32Array.from(positions, value => value + 0).buffer);
    const heads = new Int32Array(size).fill(-1), next = new Int32Array(count).fill(-1);
    const first = new Uint32Array(count);
    for (let vertex = 0; vertex < count; vertex++) {
      const at = 3 * vertex;
      let hash = Math.imul(bits[at], 73856093) ^ Math.imul(bits[at + 1], 19349663)
        ^ Math.imul(bits[at + 2], 83492791);
      hash = (hash ^ (hash >>> 15)) & (size - 1);
      let found = heads[hash], looked = 0;
      for (; found >= 0 && looked < 64; found = next[found], looked++) {
        const other = 3 * found;
        if (bits[at] === bits[other] && bits[at + 1] === bits[other + 1]
            && bits[at + 2] === bits[other + 2]
            && (!normals || normals[at] * normals[other] + normals[at + 1] * normals[other + 1]
                + normals[at + 2] * normals[other + 2] > 0.7)) break;
      }
      if (found >= 0 && looked < 64) {
        first[vertex] = found;
      } else {
        first[vertex] = vertex;
        next[vertex] = heads[hash];
        heads[hash] = vertex;
      }
    }
    return first;
  }

  function smoothNormals(positions, indices, first) {
    // Of length 1: the mean of the triangles around each vertex, weighted by their area.
    const normals = new Float32Array(positions.length);
    for (let at = 0; at < indices.length; at += 3) {
      const a = 3 * indices[at], b = 3 * indices[at + 1], c = 3 * indices[at + 2];
      const ux = positions[b] - positions[a], uy = positions[b + 1] - positions[a + 1];
      const uz = positions[b + 2] - positions[a + 2];
      const vx = positions[c] - positions[a], vy = positions[c + 1] - positions[a + 1];
      const vz = positions[c + 2] - positions[a + 2];
      const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
      for (let corner = 0; corner < 3; corner++) {
        const to = 3 * first[indices[at + corner]];
        normals[to] += x;
        normals[to + 1] += y;
        normals[to + 2] += z;
      }
    }
    for (let vertex = 0; vertex < first.length; vertex++) {
      const from = 3 * first[vertex], at = 3 * vertex;
      if (from === at) {
        const length = Math.hypot(normals[at], normals[at + 1], normals[at + 2]);
        if (length > 0) {
          for (let k = 0; k < 3; k++) normals[at + k] /= length;
        } else {
          normals[at + 2] = 1;
        }
      } else {
        for (let k = 0; k < 3; k++) normals[at + k] = normals[from + k];
      }
    }
    return normals;
  }

  return {parseGlb, arkitName, weldVertices, smoothNormals};
})();
