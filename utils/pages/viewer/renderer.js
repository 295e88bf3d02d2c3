// Draws a model of glb.js with WebGL2: morph targets, soft light, skin, shadow, an orbit camera.
//
// A plain script that follows glb.js in the page; it defines FaceRenderer and loads nothing.
//
//   const renderer = new FaceRenderer(canvas);     // throws an Error of one line without WebGL2
//   renderer.setModel(parseGlb(arrayBuffer));
//   renderer.attachControls();                     // drag, wheel, pinch, double click
//   renderer.setWeights(['jawOpen'], [0.5]);       // ARKit names, 0..1; the others stay
//   renderer.draw();
//
// The morph is computed here, not by the graphics card: displacements are sparse, and normals
// follow from the moved triangles, so that the lips are lit as they bend. A length in here is
// a share of the face's height, the face's middle lies at 0.

var FaceRenderer = (function () {
  'use strict';

  const THEMES = {
    dark: {background: '#0d0f13', glow: '#323a48', vignette: 0.55},
    light: {background: '#ccd2da', glow: '#f7f8fa', vignette: 0.16}};
  const VIEW_ANGLE = 22 * Math.PI / 180;
  const VIEW_HEIGHT = 1.62;             // of the picture, in faces
  const FADE_START = -0.70, FADE_END = -1.02;   // heights: below, a bust fades away
  const MAX_PITCH = 1.3;
  const MIN_ZOOM = 0.3, MAX_ZOOM = 3;
  const MAX_PIXEL_RATIO = 2;
  const SLOW_MS = 66;                   // a frame; without a graphics card, coarser from here on
  const MAX_TEXTURE_SIDE = 2048;
  const SHADOW_SIZE = 512, SHADOW_REACH = 1.6;
  const CAVITY_SIZE = 256, CAVITY_REACH = 0.75, CAVITY_DEPTH = 1;
  const BACK_SQUARES = 20;
  const LIGHT_BYTES = 20;               // a vertex: light, what is seen
  const LIGHT_FOLLOWS = 0.55;           // how far the lights turn with the camera
  const KEY = [-0.60, 0.62, 0.70], FILL = [0.90, 0.05, 0.45], RIM = [0.70, 0.50, -0.75];

  const SKIN = 0, WET = 1, HAIR = 2, CLOTH = 3, UNLIT = 4;
  const KIND_WORDS = [
    [WET, /eye(?!.?(brow|lash|lid))|cornea|iris|sclera|teeth|tooth|tongue|mouth|gum\b/i],
    [HAIR, /hair|lash|brow|beard|moustache/i],
    [CLOTH, /cloth|shirt|dress|outfit|pants|shoe|jacket|wear|glass|hat\b/i],
    [SKIN, /skin|face|head|body/i]];

  // Light that is soft is computed once a vertex, by transform feedback: the lamps, what each
  // vertex sees of them, and how deep it lies in the mouth. Highlights are computed a pixel.
  const LIGHT_VERTEX = `#version 300 es
    precision highp float;
    layout(location = 0) in vec3 a_position;
    layout(location = 1) in vec3 a_normal;
    uniform mat4 u_model, u_light, u_front;
    uniform float u_front_span;         // of the front picture's depth, in faces
    uniform vec3 u_eye, u_key, u_fill, u_rim;
    uniform int u_kind;
    uniform highp sampler2DShadow u_shadow;
    uniform highp sampler2D u_cavity;
    out vec3 v_light;
    out vec2 v_seen;                    // of the key light, of the sky before the face

    // Soft shadow of a large lamp: points of a spiral in the lamp's depth picture.
    float lit(vec3 place, vec3 normal) {
      vec3 at = (u_light * vec4(place + 0.014 * normal, 1.0)).xyz * 0.5 + 0.5;
      float sum = 0.0;
      for (int k = 0; k < 20; k++) {
        float turn = float(k) * 2.39996, reach = sqrt((float(k) + 0.5) / 20.0) * 0.032;
        sum += texture(u_shadow, vec3(at.xy + reach * vec2(cos(turn), sin(turn)), at.z));
      }
      return sum / 20.0;
    }

    // How deep a place lies behind what is around it, seen from the front: the mouth's inside.
    float open(vec3 place, bool is_mouth) {
      vec3 at = (u_front * vec4(place, 1.0)).xyz * 0.5 + 0.5;
      if (any(lessThan(at.xy, vec2(0.02))) || any(greaterThan(at.xy, vec2(0.98)))) return 1.0;
      float hidden = 0.0;
      for (int k = 0; k < 16; k++) {
        float turn = float(k) * 2.39996, reach = sqrt((float(k) + 0.5) / 16.0) * 0.075;
        float before = u_front_span * (at.z - textureLod(
          u_cavity, at.xy + reach * vec2(cos(turn), sin(turn)), 0.0).r);
        hidden += (is_mouth ? smoothstep(0.0, 0.06, before) : smoothstep(0.035, 0.16, before))
          * (1.0 - smoothstep(0.44, 0.60, before));
      }
      return 1.0 - hidden / 16.0;
    }

    // Light bends around what it shines through: red the furthest, which warms the terminator.
    vec3 wrapped(float along, vec3 wrap) {
      vec3 share = clamp((along + wrap) / (1.0 + wrap), 0.0, 1.0);
      return share * mix(wrap, vec3(1.0), share) / (1.0 + wrap);
    }

    void main() {
      vec3 place = (u_model * vec4(a_position, 1.0)).xyz;
      vec3 normal = normalize(mat3(u_model) * a_normal), view = normalize(u_eye - place);
      // Flesh that faces back lies behind the face, not in its mouth.
      bool is_mouth = u_kind == ${WET} && place.y < 0.0;   // eyes lie above the face's middle
      float seen = lit(place, normal), open = open(place, is_mouth);
      open = mix(1.0, open, smoothstep(-0.6, 0.0, normal.z));
      float along = dot(normal, u_key), edge = 1.0 - max(dot(normal, view), 0.0);
      edge *= edge;
      vec3 wrap = vec3(0.15), shade = vec3(seen), cavity = vec3(1.0), glow = vec3(0.0);
      if (u_kind == ${SKIN}) {
        wrap = vec3(0.42, 0.19, 0.12);
        shade = vec3(0.30, 0.22, 0.19) + vec3(0.70, 0.78, 0.81) * seen;   // flesh lets it by
        cavity = mix(vec3(0.34, 0.15, 0.13), vec3(1.0), open);
        // Light that went through thin flesh: ears and nostrils before the lamp behind.
        glow = vec3(0.55, 0.10, 0.05) * max(dot(-view, u_rim), 0.0) * edge;
      } else if (u_kind == ${WET}) {
        wrap = vec3(0.25, 0.20, 0.18);
        shade = vec3(mix(seen, 1.0, 0.15));
        if (is_mouth) cavity = mix(vec3(0.05, 0.012, 0.010), vec3(1.0, 0.93, 0.87), vec3(
          open, open * open, open * open));
        else cavity = vec3(mix(0.35, 1.0, open));
      }
      vec3 light = vec3(2.75, 2.48, 2.20) * wrapped(along, wrap) * shade;
      light += vec3(0.34, 0.40, 0.50) * wrapped(dot(normal, u_fill), wrap);
      light += mix(vec3(0.26, 0.21, 0.20), vec3(0.47, 0.51, 0.58), 0.5 + 0.5 * normal.y)
        * mix(0.72, 1.0, seen);
      light += vec3(2.1, 2.15, 2.3) * max(dot(normal, u_rim), 0.0) * (0.25 + 0.75 * edge);
      if (u_kind == ${HAIR}) light *= 0.72;
      v_light = 0.60 * cavity * (light + glow);
      v_seen = vec2(seen * smoothstep(-0.05, 0.15, along), open);
    }`;

  const VERTEX = `
    precision highp float;
    layout(location = 0) in vec3 a_position;
    layout(location = 1) in vec3 a_normal;
    layout(location = 2) in vec4 a_color;
    layout(location = 3) in vec2 a_uv;
    layout(location = 4) in vec3 a_light;
    layout(location = 5) in vec2 a_seen;
    uniform mat4 u_model, u_camera;
    uniform vec4 u_base;
    out vec3 v_place, v_normal;
    out vec4 v_color;                   // as lit
    out vec2 v_uv, v_seen;
    void main() {
      vec4 place = u_model * vec4(a_position, 1.0);
      v_place = place.xyz;
      v_normal = mat3(u_model) * a_normal;
      v_color = a_color * u_base;
    #if KIND != ${UNLIT}
      v_color.rgb *= a_light;
    #endif
      v_uv = a_uv;
      v_seen = a_seen;
      gl_Position = u_camera * place;
    }`;

  const BACKDROP = `
    uniform vec3 u_background, u_glow;
    uniform vec2 u_size;
    uniform float u_vignette;
    vec3 backdrop(vec2 at) {            // at: -1 to 1 from edge to edge
      float far = length((at - vec2(0.0, 0.12)) * vec2(min(u_size.x / u_size.y, 1.6), 1.0));
      vec3 color = mix(u_glow, u_background, smoothstep(0.0, 1.25, far));
      return color * (1.0 - u_vignette * smoothstep(0.7, 1.9, length(at * vec2(1.0, 0.9))));
    }`;

  const FRAGMENT = `
    precision highp float;
    in vec3 v_place, v_normal;
    in vec4 v_color;
    in vec2 v_uv, v_seen;
    uniform vec3 u_eye, u_key, u_fill, u_rim;
    uniform sampler2D u_image;
    uniform float u_cutoff, u_side, u_gloss;
    uniform int u_pass;                 // 0 opaque, 1 mask, 2 solid part of a blend, 3 its rest
    out vec4 o_color;
    ${BACKDROP}

    // Highlights, broad and narrow: the 16th and the 64th power, without pow, which is slow
    // where no graphics card helps.
    vec2 shine(vec3 normal, vec3 halfway) {
      float a = max(dot(normal, halfway), 0.0);
      a *= a; a *= a; a *= a; a *= a;
      float b = a * a;
      return vec2(a, 3.0 * b * b);
    }

    vec3 filmed(vec3 light) {           // tone curve and sRGB in one (Hejl, Burgess-Dawson 2010)
      light = max(light - 0.004, 0.0);
      light = light * (6.2 * light + 0.5) / (light * (6.2 * light + 1.7) + 0.06);
      return mix(vec3(dot(light, vec3(0.3, 0.59, 0.11))), light, 1.14);   // the curve pales
    }

    vec3 srgb(vec3 light) {             // by roots, within 0.003 of the curve
      vec3 a = sqrt(clamp(light, 0.0, 1.0)), b = sqrt(a), c = sqrt(b);
      return 0.662002687 * a + 0.684122060 * b - 0.323583601 * c - 0.0225411470 * light;
    }

    void main() {
      vec4 color = v_color;
    #ifdef HAS_IMAGE
      color *= texture(u_image, v_uv);
    #endif
      if (u_pass == 1 && color.a < u_cutoff) discard;
      if (u_pass == 2 && color.a < 0.6) discard;
      if (u_pass == 3 && (color.a >= 0.6 || color.a < 0.01)) discard;
    #if KIND == ${UNLIT}
      color.rgb = srgb(color.rgb);
    #elif KIND == ${CLOTH}
      color.rgb = filmed(max(color.rgb, 0.0) * (gl_FrontFacing ? 1.0 : 0.3));
    #else
      vec3 normal = normalize(v_normal) * (gl_FrontFacing ? 1.0 : u_side);
      vec3 view = normalize(u_eye - v_place), halfway = normalize(u_key + view);
      // Clamped: multisampling reads beyond a triangle's edge.
      float seen = clamp(v_seen.x, 0.0, 1.0), open = clamp(v_seen.y, 0.0, 1.0);
      float edge = 1.0 - max(dot(normal, view), 0.0), glancing = edge * edge * edge;
    #if KIND == ${SKIN}
      vec3 gleam = vec3(1.35, 1.3, 1.25) * seen * dot(shine(normal, halfway), vec2(0.9, 0.3))
        + vec3(0.27, 0.32, 0.38) * shine(normal, normalize(u_fill + view)).x
        + vec3(0.10, 0.11, 0.13);
      gleam *= (0.03 + 0.5 * glancing * edge) * open * open;
    #elif KIND == ${WET}
      vec3 mirrored = reflect(-view, normal);
      float lamp = smoothstep(0.955, 0.975, dot(mirrored, u_key)) * mix(0.35, 1.0, seen);
      float other = smoothstep(0.90, 0.99, dot(mirrored, u_fill));
      vec3 gleam = open * (vec3(0.62, 0.61, 0.60) * lamp + vec3(0.04, 0.05, 0.065) * other
        + (0.04 + 0.6 * glancing * edge) * vec3(0.14, 0.15, 0.18));
    #else
      float back = max(dot(normal, u_rim), 0.0) * edge * edge;
      vec3 gleam = (0.02 + color.rgb * 0.3) * u_gloss
        * (seen * dot(shine(normal, halfway), vec2(0.9, 0.7)) + back * 0.5);
    #endif
      // What is dark before light falls on it lies deep in the mouth, and mirrors nothing.
    #if KIND != ${HAIR}
      if (v_place.y < 0.0) gleam *= clamp(6.0 * color.r, 0.0, 1.0);
    #endif
      color.rgb = filmed(max(color.rgb, 0.0) + gleam);
    #endif
      if (v_place.y < ${FADE_START}) {
        float far = (${FADE_START} - v_place.y) / ${FADE_START - FADE_END};
        color.rgb = mix(
          color.rgb, backdrop(2.0 * gl_FragCoord.xy / u_size - 1.0), clamp(far, 0.0, 1.0));
      }
      o_color = vec4(color.rgb, u_pass < 2 ? 1.0 : color.a);
    }`;

  const DEPTH_VERTEX = `#version 300 es
    layout(location = 0) in vec3 a_position;
    uniform mat4 u_model, u_camera;
    void main() { gl_Position = u_camera * (u_model * vec4(a_position, 1.0)); }`;
  const DEPTH_FRAGMENT = `#version 300 es
    precision mediump float;
    void main() {}`;

  // A grid of squares, since the backdrop is smooth: computed a corner, not a pixel.
  const BACK_VERTEX = `#version 300 es
    precision highp float;
    ${BACKDROP}
    out vec3 v_color;
    void main() {
      int square = gl_VertexID / 6, corner = gl_VertexID % 6;
      ivec2 place = ivec2(square % ${BACK_SQUARES}, square / ${BACK_SQUARES});
      place += corner < 3 ? ivec2(corner & 1, corner >> 1)
        : ivec2(1 - (corner - 3 & 1), 1 - (corner - 3 >> 1));
      vec2 at = 2.0 * vec2(place) / float(${BACK_SQUARES}) - 1.0;
      v_color = backdrop(at);
      gl_Position = vec4(at, 0.99999, 1.0);
    }`;
  const BACK_FRAGMENT = `#version 300 es
    precision highp float;
    in vec3 v_color;
    out vec4 o_color;
    void main() {
      float noise = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715))));
      o_color = vec4(v_color + (noise - 0.5) / 255.0, 1.0);         // against bands
    }`;

  class FaceRenderer {
    constructor(canvas) {
      this.canvas = canvas;
      // Without a graphics card multisampling halves the speed; what stands still is drawn finer.
      this.isSoftware = isSoftware();
      this.gl = canvas.getContext('webgl2', {alpha: false, antialias: !this.isSoftware});
      if (!this.gl) {
        throw new Error('this browser shows no 3D here (WebGL2 is missing or turned off)');
      }
      this.model = this.geometry = null;
      this.textures = new Map();
      this.weights = new Map();
      this.isLost = this.isDisposed = false;
      this.drawTime = -Infinity;
      this.pace_ms = 0;
      this.coarseRatio = 1;
      this.removers = [];
      this.setTheme('dark');
      this.resetView();
      this.listen(canvas, 'webglcontextlost', event => {
        event.preventDefault();
        this.isLost = true;
      });
      this.listen(canvas, 'webglcontextrestored', () => {
        this.isLost = false;
        this.build();
        this.drawSoon();
      });
      this.build();
    }

    // ---- what the page calls

    setModel(model) {
      // Resolves when the model's images are shown, too.
      this.model = model;
      this.geometry = new Geometry(model);
      this.weights.clear();
      return this.upload();
    }

    setWeights(names, values) {
      if (!this.geometry) return;
      for (let k = 0; k < names.length; k++) {
        const value = Math.min(Math.max(Number(values[k]) || 0, 0), 1);
        this.geometry.setWeight(names[k], value);
      }
    }

    setTheme(theme) {
      // 'dark', 'light' or {background, glow: '#rrggbb', vignette: 0..1}.
      this.theme = Object.assign({}, THEMES.dark, THEMES[theme] || theme);
    }

    resize() {
      const ratio = this.isSoftware ? this.isFine ? 2 : this.coarseRatio
        : Math.min(window.devicePixelRatio || 1, MAX_PIXEL_RATIO);
      const width = Math.max(Math.round(this.canvas.clientWidth * ratio), 1);
      const height = Math.max(Math.round(this.canvas.clientHeight * ratio), 1);
      if (this.canvas.width !== width) this.canvas.width = width;
      if (this.canvas.height !== height) this.canvas.height = height;
    }

    orbit(dx, dy) {
      // Turn by a drag of so many CSS pixels.
      this.yaw -= dx * 0.0075;
      this.pitch = Math.min(Math.max(this.pitch + dy * 0.0075, -MAX_PITCH), MAX_PITCH);
    }

    zoom(factor) {
      // Above 1 comes nearer.
      this.closeness = Math.min(Math.max(this.closeness * factor, MIN_ZOOM), MAX_ZOOM);
    }

    resetView() {
      this.yaw = -0.10;
      this.pitch = 0.03;
      this.closeness = 1;
    }

    attachControls() {
      const canvas = this.canvas, fingers = new Map();
      canvas.style.touchAction = 'none';
      const spread = () => {
        const [a, b] = [...fingers.values()];
        return Math.hypot(a[0] - b[0], a[1] - b[1]);
      };
      this.listen(canvas, 'pointerdown', event => {
        if (event.button > 0) return;
        fingers.set(event.pointerId, [event.clientX, event.clientY]);
        canvas.setPointerCapture(event.pointerId);
      });
      this.listen(canvas, 'pointermove', event => {
        const last = fingers.get(event.pointerId);
        if (!last) return;
        const before = fingers.size === 2 ? spread() : 0;
        fingers.set(event.pointerId, [event.clientX, event.clientY]);
        if (fingers.size === 1) this.orbit(event.clientX - last[0], event.clientY - last[1]);
        if (before > 0) this.zoom(spread() / before);
        this.drawSoon();
      });
      for (const kind of ['pointerup', 'pointercancel']) {
        this.listen(canvas, kind, event => fingers.delete(event.pointerId));
      }
      this.listen(canvas, 'wheel', event => {
        event.preventDefault();
        const step = event.deltaY * (event.deltaMode === 1 ? 33 : 1);
        this.zoom(Math.exp(-Math.min(Math.max(step, -240), 240) * 0.0015));
        this.drawSoon();
      }, {passive: false});
      this.listen(canvas, 'dblclick', () => {
        this.resetView();
        this.drawSoon();
      });
    }

    dispose() {
      this.isDisposed = true;
      clearTimeout(this.settling);
      for (const remove of this.removers) remove();
      const loser = this.gl.getExtension('WEBGL_lose_context');
      if (loser && !this.gl.isContextLost()) loser.loseContext();
      this.model = this.geometry = null;
    }

    draw() {
      this.drawFrame(false);
      // Once nothing moves: what was left out for speed. A slow machine is waited for longer.
      const now = performance.now(), step_ms = Math.min(now - this.drawTime, 500);
      const wait_ms = 200 + 3 * step_ms;
      this.drawTime = now;
      if (step_ms < 500) this.pace_ms += 0.1 * (step_ms - this.pace_ms);
      if (this.pace_ms > SLOW_MS) this.coarseRatio = 0.7;
      if (this.pace_ms < SLOW_MS / 2) this.coarseRatio = 1;
      clearTimeout(this.settling);
      if (this.isSoftware || this.areMapsOld) {
        this.settling = setTimeout(
          () => requestAnimationFrame(() => this.drawFrame(true)), wait_ms);
      }
    }

    drawFrame(isFine) {
      const gl = this.gl;
      if (this.isLost || this.isDisposed || gl.isContextLost()) return;
      this.isFine = isFine;
      this.resize();
      const view = this.view();
      if (this.geometry) {
        if (this.geometry.update()) {
          this.uploadMoved();
          this.areMapsOld = true;
        }
        if (this.areMapsOld || this.mapYaw !== view.lightYaw) this.drawMaps(view);
        this.computeLight(view);
      }
      gl.bindFramebuffer(gl.FRAMEBUFFER, null);
      gl.viewport(0, 0, this.canvas.width, this.canvas.height);
      gl.depthMask(true);
      gl.clear(gl.DEPTH_BUFFER_BIT);
      if (this.geometry) this.drawPieces(view, [0, 1, 2]);
      this.drawBackground();
      if (this.geometry) this.drawPieces(view, [3]);
    }

    // ---- setting up

    listen(target, kind, handler, options) {
      target.addEventListener(kind, handler, options);
      this.removers.push(() => target.removeEventListener(kind, handler, options));
    }

    drawSoon() {
      if (this.isWaiting || this.isDisposed) return;
      this.isWaiting = true;
      requestAnimationFrame(() => {
        this.isWaiting = false;
        this.draw();
      });
    }

    build() {
      // All that lives on the graphics card; anew after a lost context.
      const gl = this.gl;
      this.programs = new Map();
      this.textures = new Map();
      gl.enable(gl.DEPTH_TEST);
      gl.depthFunc(gl.LEQUAL);
      this.depth = program(gl, DEPTH_VERTEX, DEPTH_FRAGMENT);
      this.back = program(gl, BACK_VERTEX, BACK_FRAGMENT);
      this.light = program(gl, LIGHT_VERTEX, DEPTH_FRAGMENT, ['v_light', 'v_seen']);
      this.feedback = gl.createTransformFeedback();
      this.empty = gl.createVertexArray();
      this.shadowMap = depthMap(gl, SHADOW_SIZE, true);
      this.stillMap = depthMap(gl, SHADOW_SIZE, true);  // hair and clothes, which no shape moves
      this.cavityMap = depthMap(gl, CAVITY_SIZE, false);
      this.areMapsOld = true;
      if (this.geometry) this.upload();
    }

    upload() {
      const gl = this.gl, {geometry, model} = this;
      if (this.vertices) {
        gl.deleteVertexArray(this.vertices);
        gl.deleteVertexArray(this.corners);
        for (const buffer of this.vertexBuffers) gl.deleteBuffer(buffer);
        for (const texture of this.textures.values()) gl.deleteTexture(texture);
        this.textures.clear();
      }
      this.vertices = gl.createVertexArray();
      gl.bindVertexArray(this.vertices);
      const filled = (target, data, usage) => {
        const buffer = gl.createBuffer();
        gl.bindBuffer(target, buffer);
        gl.bufferData(target, data, usage);
        return buffer;
      };
      const attribute = (place, width, data, usage, kind, isShare) => {
        const buffer = filled(gl.ARRAY_BUFFER, data, usage);
        gl.enableVertexAttribArray(place);
        gl.vertexAttribPointer(place, width, kind, isShare, 0, 0);
        return buffer;
      };
      this.positionBuffer = attribute(0, 3, geometry.positions, gl.DYNAMIC_DRAW, gl.FLOAT, false);
      this.normalBuffer = attribute(1, 3, geometry.normals, gl.DYNAMIC_DRAW, gl.FLOAT, false);
      this.lightBuffer = filled(
        gl.ARRAY_BUFFER, geometry.positions.length / 3 * LIGHT_BYTES, gl.DYNAMIC_COPY);
      for (const [place, width, start] of [[4, 3, 0], [5, 2, 12]]) {
        gl.enableVertexAttribArray(place);
        gl.vertexAttribPointer(place, width, gl.FLOAT, false, LIGHT_BYTES, start);
      }
      this.vertexBuffers = [this.positionBuffer, this.normalBuffer, this.lightBuffer,
        attribute(2, 4, geometry.colors, gl.STATIC_DRAW, gl.UNSIGNED_SHORT, true),
        attribute(3, 2, geometry.uvs, gl.STATIC_DRAW, gl.FLOAT, false),
        filled(gl.ELEMENT_ARRAY_BUFFER, geometry.indices, gl.STATIC_DRAW)];
      this.corners = gl.createVertexArray();
      gl.bindVertexArray(this.corners);
      [this.positionBuffer, this.normalBuffer].forEach((buffer, place) => {
        gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
        gl.enableVertexAttribArray(place);
        gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 0, 0);
      });
      gl.bindVertexArray(null);
      this.areMapsOld = this.isStillOld = true;
      const images = new Set(model.meshes.map(({material}) => material.image).filter(Boolean));
      return Promise.all([...images].map(image => this.uploadImage(image, model)));
    }

    async uploadImage(image, model) {
      const wanted = {premultiplyAlpha: 'none', colorSpaceConversion: 'none'};
      const shrink = MAX_TEXTURE_SIDE / Math.max(image.width, image.height);
      if (shrink < 1) {
        wanted.resizeWidth = Math.max(Math.round(image.width * shrink), 1);
        wanted.resizeHeight = Math.max(Math.round(image.height * shrink), 1);
        wanted.resizeQuality = 'high';
      }
      let bitmap;
      try {
        const blob = new Blob([image.bytes], {type: image.mimeType});
        bitmap = await createImageBitmap(blob, wanted).catch(() => createImageBitmap(blob));
      } catch (error) {
        model.warnings.push('it has an image that cannot be read');
        return;
      }
      const gl = this.gl;
      if (this.model === model && !gl.isContextLost()) {
        const texture = gl.createTexture();
        gl.bindTexture(gl.TEXTURE_2D, texture);
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.SRGB8_ALPHA8, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
        gl.generateMipmap(gl.TEXTURE_2D);
        gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
        const sharp = gl.getExtension('EXT_texture_filter_anisotropic');
        if (sharp) gl.texParameterf(gl.TEXTURE_2D, sharp.TEXTURE_MAX_ANISOTROPY_EXT, 4);
        this.textures.set(image, texture);
        this.drawSoon();
      }
      bitmap.close();
    }

    uploadMoved() {
      const gl = this.gl, {geometry} = this, count = 3 * geometry.numMoving;
      for (const [buffer, values] of [[this.positionBuffer, geometry.positions],
        [this.normalBuffer, geometry.normals]]) {
        gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
        gl.bufferSubData(gl.ARRAY_BUFFER, 0, values, 0, count);
      }
    }

    // ---- drawing

    view() {
      const aspect = this.canvas.width / this.canvas.height, {geometry} = this;
      const size = geometry ? geometry.viewSize : [1, VIEW_HEIGHT];
      const height = Math.max(size[1], size[0] / aspect);
      const distance = height / 2 / Math.tan(VIEW_ANGLE / 2) / this.closeness + 0.3;
      const [cos, sin] = [Math.cos(this.pitch), Math.sin(this.pitch)];
      const target = geometry ? geometry.target : [0, 0, 0];
      const away = [Math.sin(this.yaw) * cos, sin, Math.cos(this.yaw) * cos];
      const eye = target.map((value, k) => value + distance * away[k]);
      const reach = geometry ? geometry.reach : 2;
      return {eye, lightYaw: LIGHT_FOLLOWS * this.yaw, camera: product(
        perspective(VIEW_ANGLE, aspect, Math.max(distance - reach, 0.05), distance + reach),
        lookingAt(eye, target))};
    }

    drawMaps(view) {
      // The lamp's and the front's depth pictures. While the face moves, one a frame is enough.
      const gl = this.gl, isMoving = !this.isFine && !this.isStillOld
        && this.mapYaw === view.lightYaw;
      if (this.mapYaw !== view.lightYaw || this.isStillOld) {
        const key = turned(unit(KEY), view.lightYaw);
        this.lightMatrix = product(orthographic(SHADOW_REACH, 2.5),
          lookingAt(key.map(value => 2.5 * value), [0, 0, 0]));
        this.frontMatrix = product(orthographic(CAVITY_REACH, CAVITY_DEPTH),
          lookingAt([0, 0, CAVITY_DEPTH], [0, 0, 0]));
        this.mapYaw = view.lightYaw;
        this.isStillOld = false;
        this.drawDepth(this.stillMap, this.lightMatrix,
          piece => piece.castsShadow && piece.isStill);
      }
      gl.bindVertexArray(this.vertices);
      this.isFrontNext = isMoving && !this.isFrontNext;
      if (!isMoving || !this.isFrontNext) {
        gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.stillMap.framebuffer);
        gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, this.shadowMap.framebuffer);
        gl.blitFramebuffer(0, 0, SHADOW_SIZE, SHADOW_SIZE, 0, 0, SHADOW_SIZE, SHADOW_SIZE,
          gl.DEPTH_BUFFER_BIT, gl.NEAREST);
        this.drawDepth(this.shadowMap, this.lightMatrix,
          piece => piece.castsShadow && !piece.isStill, true);
      }
      if (!isMoving || this.isFrontNext) {
        this.drawDepth(this.cavityMap, this.frontMatrix,
          piece => piece.castsShadow && piece.kind === SKIN);
      }
      this.areMapsOld = isMoving;
    }

    drawDepth(map, matrix, isWanted, isKept) {
      const gl = this.gl, {program, at} = this.depth;
      gl.bindFramebuffer(gl.FRAMEBUFFER, map.framebuffer);
      gl.viewport(0, 0, map.size, map.size);
      gl.disable(gl.BLEND);
      gl.depthMask(true);
      if (!isKept) gl.clear(gl.DEPTH_BUFFER_BIT);
      gl.useProgram(program);
      gl.uniformMatrix4fv(at.u_model, false, this.geometry.matrix);
      gl.uniformMatrix4fv(at.u_camera, false, matrix);
      gl.bindVertexArray(this.vertices);
      gl.enable(gl.POLYGON_OFFSET_FILL);
      gl.polygonOffset(2, 2);
      for (const piece of this.geometry.pieces) if (isWanted(piece)) this.drawElements(piece);
      gl.disable(gl.POLYGON_OFFSET_FILL);
    }

    computeLight(view) {
      const gl = this.gl, {program, at} = this.light;
      gl.useProgram(program);
      gl.uniformMatrix4fv(at.u_model, false, this.geometry.matrix);
      gl.uniformMatrix4fv(at.u_light, false, this.lightMatrix);
      gl.uniformMatrix4fv(at.u_front, false, this.frontMatrix);
      gl.uniform1f(at.u_front_span, 2 * CAVITY_DEPTH);
      this.setLamps(at, view);
      [this.shadowMap, this.cavityMap].forEach(({texture}, unit) => {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, texture);
      });
      gl.uniform1i(at.u_shadow, 0);
      gl.uniform1i(at.u_cavity, 1);
      gl.bindFramebuffer(gl.FRAMEBUFFER, null);
      gl.bindVertexArray(this.corners);
      gl.bindTransformFeedback(gl.TRANSFORM_FEEDBACK, this.feedback);
      gl.enable(gl.RASTERIZER_DISCARD);
      for (const {kind, vertexStart, numVertices} of this.geometry.pieces) {
        gl.uniform1i(at.u_kind, kind);
        gl.bindBufferRange(gl.TRANSFORM_FEEDBACK_BUFFER, 0, this.lightBuffer,
          LIGHT_BYTES * vertexStart, LIGHT_BYTES * numVertices);
        gl.beginTransformFeedback(gl.POINTS);
        gl.drawArrays(gl.POINTS, vertexStart, numVertices);
        gl.endTransformFeedback();
      }
      gl.disable(gl.RASTERIZER_DISCARD);
      gl.bindBufferBase(gl.TRANSFORM_FEEDBACK_BUFFER, 0, null);
      gl.bindTransformFeedback(gl.TRANSFORM_FEEDBACK, null);
      for (const unit of [1, 0]) {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, null);
      }
    }

    setLamps(at, view) {
      const gl = this.gl;
      gl.uniform3fv(at.u_eye, view.eye);
      gl.uniform3fv(at.u_key, turned(unit(KEY), view.lightYaw));
      gl.uniform3fv(at.u_fill, turned(unit(FILL), view.lightYaw));
      gl.uniform3fv(at.u_rim, turned(unit(RIM), this.yaw));
    }

    drawPieces(view, passes) {
      const gl = this.gl, {geometry} = this;
      gl.bindVertexArray(this.vertices);
      for (const pass of passes) {
        if (pass === 3) gl.enable(gl.BLEND);
        else gl.disable(gl.BLEND);
        gl.blendFuncSeparate(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA, gl.ONE, gl.ONE);
        gl.depthMask(pass !== 3);
        for (const piece of geometry.pieces) {
          if (!piece.passes.includes(pass)) continue;
          this.drawPiece(view, piece, pass);
        }
      }
      gl.depthMask(true);
      gl.disable(gl.BLEND);
    }

    drawPiece(view, piece, pass) {
      const gl = this.gl, {material} = piece, texture = this.textures.get(material.image);
      const key = piece.kind + (texture ? 10 : 0);
      let drawn = this.programs.get(key);
      if (!drawn) {
        const head = `#version 300 es\n#define KIND ${piece.kind}\n`
          + (texture ? '#define HAS_IMAGE\n' : '');
        drawn = program(gl, head + VERTEX, head + FRAGMENT);
        this.programs.set(key, drawn);
      }
      const at = drawn.at;
      gl.useProgram(drawn.program);
      if (drawn.view !== view) {
        drawn.view = view;
        gl.uniformMatrix4fv(at.u_model, false, this.geometry.matrix);
        gl.uniformMatrix4fv(at.u_camera, false, view.camera);
        this.setLamps(at, view);
        this.setBackdrop(at);
        gl.uniform1i(at.u_image, 0);
      }
      gl.uniform4fv(at.u_base, material.baseColor);
      gl.uniform1i(at.u_pass, pass);
      gl.uniform1f(at.u_cutoff, material.alphaCutoff);
      gl.uniform1f(at.u_side, material.doubleSided ? -1 : 1);
      gl.uniform1f(at.u_gloss, 1 - Math.min(Math.max(material.roughness, 0), 1));
      if (texture) {
        gl.bindTexture(gl.TEXTURE_2D, texture);
        gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, material.wrapS);
        gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, material.wrapT);
      }
      gl.enable(gl.CULL_FACE);
      this.drawElements(piece);
      if (material.doubleSided) {       // behind the fronts, which hide most of them
        gl.cullFace(gl.FRONT);
        this.drawElements(piece);
        gl.cullFace(gl.BACK);
      }
      gl.disable(gl.CULL_FACE);
    }

    drawElements(piece) {
      this.gl.drawElements(this.gl.TRIANGLES, piece.count, this.gl.UNSIGNED_INT, 4 * piece.start);
    }

    drawBackground() {
      const gl = this.gl, {program, at} = this.back;
      gl.useProgram(program);
      gl.bindVertexArray(this.empty);
      this.setBackdrop(at);
      gl.drawArrays(gl.TRIANGLES, 0, 6 * BACK_SQUARES * BACK_SQUARES);
    }

    setBackdrop(at) {
      const gl = this.gl;
      gl.uniform3fv(at.u_background, hexColor(this.theme.background));
      gl.uniform3fv(at.u_glow, hexColor(this.theme.glow));
      gl.uniform1f(at.u_vignette, this.theme.vignette);
      gl.uniform2f(at.u_size, this.canvas.width, this.canvas.height);
    }
  }

  // ---- geometry

  class Geometry {
    // One set of arrays of all pieces; those that move come first.
    constructor(model) {
      const meshes = model.meshes.map(mesh => ({mesh,
        isMoving: mesh.targets.some(({arkit, vertices}) => arkit && vertices.length)}));
      meshes.sort((a, b) => b.isMoving - a.isMoving);
      const numVertices = sum(meshes, ({mesh}) => mesh.positions.length / 3);
      this.positions = new Float32Array(3 * numVertices);
      this.normals = new Float32Array(3 * numVertices);
      this.colors = new Uint16Array(4 * numVertices).fill(65535);
      this.uvs = new Float32Array(2 * numVertices);
      this.indices = new Uint32Array(sum(meshes, ({mesh}) => mesh.indices.length));
      this.pieces = [];
      this.shapes = new Map();          // ARKit name -> {weight, parts: [[vertices, moves]]}
      let vertex = 0, start = 0;
      for (const {mesh, isMoving} of meshes) {
        this.addMesh(mesh, isMoving, vertex, start);
        vertex += mesh.positions.length / 3;
        start += mesh.indices.length;
        if (isMoving) this.numMoving = vertex;
      }
      this.numMoving = this.numMoving || 0;
      this.base = this.positions.slice(0, 3 * this.numMoving);
      this.prepareNormals();
      this.frame(model);
      this.pieces.sort((a, b) => a.kind - b.kind);      // what skin hides is not shaded
      this.isOld = this.shapes.size > 0;
    }

    addMesh(mesh, isMoving, vertex, start) {
      this.positions.set(mesh.positions, 3 * vertex);
      this.normals.set(mesh.normals, 3 * vertex);
      if (mesh.uvs) this.uvs.set(mesh.uvs, 2 * vertex);
      if (mesh.colors) {
        for (let at = 0; at < mesh.colors.length; at++) {
          this.colors[4 * vertex + at] = 65535 * Math.min(Math.max(mesh.colors[at], 0), 1);
        }
      }
      for (let at = 0; at < mesh.indices.length; at++) {
        this.indices[start + at] = mesh.indices[at] + vertex;
      }
      for (const {arkit, defaultWeight, vertices, moves} of mesh.targets) {
        const places = vertices.map(place => place + vertex);
        if (arkit) {
          const shape = this.shapes.get(arkit) || {weight: 0, parts: []};
          this.shapes.set(arkit, shape);
          shape.weight = Math.min(Math.max(defaultWeight, 0), 1);
          if (places.length) shape.parts.push([places, moves]);
        } else if (defaultWeight) {
          add(this.positions, places, moves, defaultWeight);
        }
      }
      const {material} = mesh, kind = kindOf(mesh);
      this.pieces.push({start, count: mesh.indices.length, vertexStart: vertex,
        numVertices: mesh.positions.length / 3, kind, material,
        isStill: !isMoving,
        castsShadow: material.alphaMode === 'OPAQUE' && kind !== WET
          && !(kind === HAIR && isMoving),              // lashes would be but stripes
        passes: {OPAQUE: [0], MASK: [1], BLEND: [2, 3]}[material.alphaMode]});
    }

    prepareNormals() {
      // Which vertices a shape moves, which normals follow, and the triangles that decide them.
      const num = this.numMoving, moving = this.indices.subarray(0, sum(this.pieces, piece =>
        this.indices[piece.start] < num ? piece.count : 0));
      this.first = weldVertices(this.base, this.normals.subarray(0, 3 * num));
      const moves = new Uint8Array(num), follows = new Uint8Array(num);
      for (const {parts} of this.shapes.values()) {
        for (const [places] of parts) for (const place of places) moves[place] = 1;
      }
      this.moved = placesOf(moves);
      for (const place of this.moved) moves[this.first[place]] = 1;
      const spread = (from, to) => {
        const kept = [];
        for (let at = 0; at < moving.length; at += 3) {
          const [a, b, c] = [0, 1, 2].map(k => this.first[moving[at + k]]);
          if (!from[a] && !from[b] && !from[c]) continue;
          if (to) to[a] = to[b] = to[c] = 1;
          else kept.push(at);
        }
        return kept;
      };
      spread(moves, follows);
      const triangles = spread(follows, null);
      this.corners = new Uint32Array(3 * triangles.length);     // positions' own vertices
      triangles.forEach((at, k) => this.corners.set(moving.subarray(at, at + 3), 3 * k));
      this.following = Uint32Array.from(placesOf(this.first.map(place => follows[place])));
      this.restNormals = this.normals.slice(0, 3 * num);
      this.geometric = new Float32Array(3 * num);
      this.computeGeometric();
      this.restGeometric = this.geometric.slice();
      // -1 where a mesh is wound the other way round than its own normals say.
      this.sides = Int8Array.from(this.following, place => {
        const at = 3 * place, own = 3 * this.first[place];
        return this.restNormals[at] * this.restGeometric[own]
          + this.restNormals[at + 1] * this.restGeometric[own + 1]
          + this.restNormals[at + 2] * this.restGeometric[own + 2] < 0 ? -1 : 1;
      });
    }

    computeGeometric() {
      const {corners, positions, first, geometric} = this;
      geometric.fill(0);
      for (let k = 0; k < corners.length; k += 3) {
        const i = corners[k], j = corners[k + 1], l = corners[k + 2];
        const a = 3 * i, b = 3 * j, c = 3 * l;
        const ax = positions[a], ay = positions[a + 1], az = positions[a + 2];
        const ux = positions[b] - ax, uy = positions[b + 1] - ay, uz = positions[b + 2] - az;
        const vx = positions[c] - ax, vy = positions[c + 1] - ay, vz = positions[c + 2] - az;
        const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
        const p = 3 * first[i], q = 3 * first[j], r = 3 * first[l];
        geometric[p] += x; geometric[p + 1] += y; geometric[p + 2] += z;
        geometric[q] += x; geometric[q + 1] += y; geometric[q + 2] += z;
        geometric[r] += x; geometric[r + 1] += y; geometric[r + 2] += z;
      }
      for (let k = 0; k < this.following.length; k++) {
        const at = 3 * this.following[k];
        if (first[this.following[k]] !== this.following[k]) continue;
        const length = Math.sqrt(geometric[at] * geometric[at]
          + geometric[at + 1] * geometric[at + 1] + geometric[at + 2] * geometric[at + 2]);
        if (length > 0) {
          geometric[at] /= length; geometric[at + 1] /= length; geometric[at + 2] /= length;
        }
      }
    }

    setWeight(name, value) {
      const shape = this.shapes.get(name);
      if (shape && shape.weight !== value) {
        shape.weight = value;
        this.isOld = true;
      }
    }

    update() {
      // Moves the vertices and turns the normals by the weights; whether anything changed.
      if (!this.isOld) return false;
      this.isOld = false;
      const {positions, base, normals, restNormals, geometric, restGeometric, first} = this;
      for (let k = 0; k < this.moved.length; k++) {
        const at = 3 * this.moved[k];
        positions[at] = base[at];
        positions[at + 1] = base[at + 1];
        positions[at + 2] = base[at + 2];
      }
      for (const {weight, parts} of this.shapes.values()) {
        if (weight) for (const [places, moves] of parts) add(positions, places, moves, weight);
      }
      this.computeGeometric();
      for (let k = 0; k < this.following.length; k++) {
        const at = 3 * this.following[k], own = 3 * first[this.following[k]], side = this.sides[k];
        const x = restNormals[at] + side * (geometric[own] - restGeometric[own]);
        const y = restNormals[at + 1] + side * (geometric[own + 1] - restGeometric[own + 1]);
        const z = restNormals[at + 2] + side * (geometric[own + 2] - restGeometric[own + 2]);
        const length = Math.sqrt(x * x + y * y + z * z) || 1;
        normals[at] = x / length;
        normals[at + 1] = y / length;
        normals[at + 2] = z / length;
      }
      return true;
    }

    frame(model) {
      // The matrix into faces, and what the camera shows.
      const {min, max, faceMin, faceMax} = model.bounds;
      const middle = faceMin.map((low, k) => (low + faceMax[k]) / 2);
      const face = 1.26 * Math.max(          // from chin to hair is more than what moves
        faceMax[1] - faceMin[1], 1.2 * (faceMax[0] - faceMin[0]), 1e-30);
      const scale = 1 / face, side = model.isFacingBack ? -scale : scale;
      this.matrix = new Float32Array([side, 0, 0, 0, 0, scale, 0, 0, 0, 0, side, 0,
        -side * middle[0], -scale * middle[1], -side * middle[2], 1]);
      const corners = [min, max].map(
        corner => corner.map((value, k) => (value - middle[k]) / face));
      const whole = Math.min(1.12 * (corners[1][1] - corners[0][1]), VIEW_HEIGHT);
      const top = Math.min(corners[1][1], 0.80);
      this.viewSize = [Math.min(1.5, 1.1 * (corners[1][0] - corners[0][0])), Math.max(whole, 0.6)];
      this.target = [0, Math.max(top + 0.08 - this.viewSize[1] / 2, -0.1), -0.1];
      this.reach = Math.max(...corners.flat().map(Math.abs), 1) * 2;
    }
  }

  function kindOf({material, name, targets}) {
    if (material.isUnlit) return UNLIT;
    for (const text of [material.name, name]) {
      for (const [kind, words] of KIND_WORDS) if (words.test(text)) return kind;
    }
    return targets.length ? SKIN : CLOTH;
  }

  function add(positions, places, moves, weight) {
    for (let k = 0, from = 0; k < places.length; k++, from += 3) {
      const at = 3 * places[k];
      positions[at] += weight * moves[from];
      positions[at + 1] += weight * moves[from + 1];
      positions[at + 2] += weight * moves[from + 2];
    }
  }

  function placesOf(flags) {
    const places = [];
    flags.forEach((flag, place) => {
      if (flag) places.push(place);
    });
    return places;
  }

  function sum(items, value) {
    return items.reduce((total, item) => total + value(item), 0);
  }

  // ---- WebGL

  function isSoftware() {
    const gl = document.createElement('canvas').getContext('webgl2');
    if (!gl) return false;
    const named = gl.getExtension('WEBGL_debug_renderer_info');
    const name = gl.getParameter(named ? named.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
    const loser = gl.getExtension('WEBGL_lose_context');
    if (loser) loser.loseContext();
    return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
  }

  function program(gl, vertex, fragment, captured) {
    const made = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(made, shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
        throw new Error('the graphics driver refuses a shader: ' + gl.getShaderInfoLog(shader));
      }
    }
    if (captured) gl.transformFeedbackVaryings(made, captured, gl.INTERLEAVED_ATTRIBS);
    gl.linkProgram(made);
    if (!gl.getProgramParameter(made, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error('the graphics driver refuses a program: ' + gl.getProgramInfoLog(made));
    }
    const at = {}, count = gl.getProgramParameter(made, gl.ACTIVE_UNIFORMS) || 0;
    for (let k = 0; k < count; k++) {
      const {name} = gl.getActiveUniform(made, k);
      at[name] = gl.getUniformLocation(made, name);
    }
    return {program: made, at};
  }

  function depthMap(gl, size, isCompared) {
    const texture = gl.createTexture(), framebuffer = gl.createFramebuffer();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.DEPTH_COMPONENT24, size, size);
    const filter = isCompared ? gl.LINEAR : gl.NEAREST;
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    if (isCompared) {
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_COMPARE_MODE, gl.COMPARE_REF_TO_TEXTURE);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.TEXTURE_2D, texture, 0);
    gl.drawBuffers([gl.NONE]);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    return {texture, framebuffer, size};
  }

  // ---- vectors; a matrix is column-major

  function unit(vector) {
    const length = Math.hypot(...vector);
    return vector.map(value => value / length);
  }

  function turned([x, y, z], yaw) {
    const cos = Math.cos(yaw), sin = Math.sin(yaw);
    return [cos * x + sin * z, y, cos * z - sin * x];
  }

  function cross(a, b) {
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  }

  function product(a, b) {
    const out = new Float32Array(16);
    for (let column = 0; column < 16; column += 4) {
      for (let row = 0; row < 4; row++) {
        for (let k = 0; k < 4; k++) out[column + row] += a[4 * k + row] * b[column + k];
      }
    }
    return out;
  }

  function perspective(angle, aspect, near, far) {
    const f = 1 / Math.tan(angle / 2);
    return [f / aspect, 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) / (near - far), -1,
      0, 0, 2 * far * near / (near - far), 0];
  }

  function orthographic(reach, depth) {
    // From the camera's place on, twice `depth` deep.
    return [1 / reach, 0, 0, 0, 0, 1 / reach, 0, 0, 0, 0, -1 / depth, 0, 0, 0, -1, 1];
  }

  function lookingAt(eye, target) {
    const back = unit(eye.map((value, k) => value - target[k]));
    const right = unit(cross([0, 1, 0], back)), up = cross(back, right);
    const along = axis => -(axis[0] * eye[0] + axis[1] * eye[1] + axis[2] * eye[2]);
    return [right[0], up[0], back[0], 0, right[1], up[1], back[1], 0, right[2], up[2], back[2], 0,
      along(right), along(up), along(back), 1];
  }

  function hexColor(text) {
    const parts = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text);
    return parts ? parts.slice(1).map(part => parseInt(part, 16) / 255) : [0.5, 0.5, 0.5];
  }

  FaceRenderer.THEMES = THEMES;
  return FaceRenderer;
})();
