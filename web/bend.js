// The page that bends a picture: it keeps the dragged points, shows the picture that deform computes from them, and
// writes that call to a case file.

import { open } from './device.js';
import { Call, Kernel } from './pkg/deform_web.js';

const LONGEST = 480;
const element = id => document.getElementById(id);
const [stage, picture, overlay, state] = ['stage', 'picture', 'overlay', 'state'].map(element);

let opened; // { device, name }, once the browser has given a device
let tasks = Promise.resolve(); // settles after the last task
let unfinished = 0; // number of tasks
let waiting = false; // whether a task that bends the picture has yet to start
let source; // ImageData of the original picture
let points = []; // { x, y, dx, dy } in pixels of the picture
let current = -1;
let hovered;
let shown; // the call whose result is shown, with that result

const flat = () => new Float32Array(points.flatMap(({ x, y, dx, dy }) => [x, y, dx, dy]));
const kernel = () => new Kernel(Number(element('size').value), Number(element('dilation').value), element('v2').checked);

/// Shows a text in the state line.
function say(text, className = '') {
  [state.textContent, state.className] = [text, className];
}

/// Runs a task after all earlier ones. Then the state line shows the text that the task returns, or its error.
function perform(task) {
  unfinished += 1;
  stage.setAttribute('aria-busy', true);
  tasks = tasks.then(task).then(say, error => say(error.message ?? String(error), 'wrong')).then(() => {
    unfinished -= 1;
    if (unfinished === 0) stage.removeAttribute('aria-busy');
  });
}

/// Bends the picture after all earlier tasks. A task that waits takes the newest points, so one is enough.
function bend() {
  if (waiting) return;
  waiting = true;
  perform(() => {
    waiting = false;
    return bent();
  });
}

/// Bends the picture and returns the text for the state line.
async function bent() {
  if (!source) throw new Error('There is no picture to bend.');
  opened ??= await open();
  const { device, name } = opened;
  const call = Call.bend(source.data, source.width, flat(), kernel());
  const start = performance.now();
  let computed;
  try {
    computed = await device.run(call);
  } catch (error) {
    // The device may be lost, so the next task opens another.
    opened = undefined;
    throw new Error(`The device did not bend the picture: ${error.message}`);
  }
  const milliseconds = performance.now() - start;
  const rate = computed.flops / milliseconds / 1e6;
  shown?.free();
  shown = computed;
  picture.getContext('2d').putImageData(new ImageData(new Uint8ClampedArray(shown.output), source.width), 0, 0);
  draw();
  return `${source.width}×${source.height}, ${points.length} point${points.length === 1 ? '' : 's'}: `
    + `${milliseconds.toFixed(1)} ms with upload and read-back, ${rate.toFixed(2)} GFLOP/s (${name})`;
}

/// Draws the points, and the taps of the hovered pixel.
function draw() {
  const context = overlay.getContext('2d');
  context.clearRect(0, 0, overlay.width, overlay.height);
  points.forEach(({ x, y, dx, dy }, n) => {
    context.strokeStyle = context.fillStyle = n === current ? '#1a73e8' : '#ffffff';
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + dx, y + dy);
    context.stroke();
    context.beginPath();
    context.arc(x + dx, y + dy, 5, 0, 7);
    context.fill();
  });
  if (hovered && shown) {
    const places = shown.taps(Math.floor(hovered.x), Math.floor(hovered.y));
    context.fillStyle = '#ff2d55';
    // Positions count from the middle of the first pixel, canvases from its corner.
    for (let n = 0; n < places.length; n += 2) context.fillRect(places[n] - 1, places[n + 1] - 1, 3, 3);
  }
}

/// Returns the position of an event in pixels of the picture.
function place(event) {
  const box = overlay.getBoundingClientRect();
  return {
    x: (event.clientX - box.left) * overlay.width / box.width,
    y: (event.clientY - box.top) * overlay.height / box.height,
  };
}

overlay.addEventListener('pointerdown', event => {
  const { x, y } = place(event);
  // A press near the end of a point moves that point.
  current = points.findIndex(point => Math.hypot(point.x + point.dx - x, point.y + point.dy - y) < 10);
  if (current < 0) current = points.push({ x, y, dx: 0, dy: 0 }) - 1;
  overlay.setPointerCapture(event.pointerId);
  bend();
});
overlay.addEventListener('pointermove', event => {
  hovered = place(event);
  if (event.buttons && current >= 0) {
    const point = points[current];
    [point.dx, point.dy] = [hovered.x - point.x, hovered.y - point.y];
    bend();
  } else {
    draw();
  }
});
overlay.addEventListener('pointerleave', () => {
  hovered = undefined;
  draw();
});
overlay.addEventListener('keydown', event => {
  const step = event.shiftKey ? 16 : 4;
  const move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
  if (event.key === 'Enter') {
    current = points.push({ x: overlay.width / 2, y: overlay.height / 2, dx: 0, dy: 0 }) - 1;
  } else if ((event.key === 'Delete' || event.key === 'Backspace') && current >= 0) {
    points.splice(current, 1);
    current = points.length - 1;
  } else if (move && current >= 0) {
    points[current].dx += move[0];
    points[current].dy += move[1];
  } else {
    return;
  }
  event.preventDefault();
  bend();
});
element('controls').addEventListener('change', event => {
  if (event.target.id !== 'file') bend();
});
element('reset').addEventListener('click', () => {
  points = [];
  current = -1;
  bend();
});
element('export').addEventListener('click', () => perform(() => {
  if (!shown) throw new Error('There is no picture to export.');
  const link = document.createElement('a');
  link.download = 'bent.safetensors';
  link.href = URL.createObjectURL(new Blob([shown.file()]));
  link.click();
  // Some browsers read the file after this event.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return `Exported as ${link.download}. To compute it elsewhere: deform run deform_conv2d ${link.download}`;
}));
element('file').addEventListener('change', event => {
  const [file] = event.target.files;
  if (file) perform(() => show(file));
});
stage.addEventListener('dragover', event => {
  event.preventDefault();
  stage.classList.add('over');
});
stage.addEventListener('dragleave', () => stage.classList.remove('over'));
stage.addEventListener('drop', event => {
  event.preventDefault();
  stage.classList.remove('over');
  const [file] = event.dataTransfer.files;
  if (file) perform(() => show(file));
});

/// Loads a picture, scales it down if it is larger than LONGEST, and shows it. Returns the text for the state line.
async function show(blob) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    throw new Error('This file is no picture that the browser can read.');
  }
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map(size => Math.max(1, Math.round(size * scale)));
  for (const canvas of [picture, overlay]) [canvas.width, canvas.height] = [width, height];
  const context = picture.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, width, height);
  source = context.getImageData(0, 0, width, height);
  points = [];
  current = -1;
  return bent();
}

perform(async () => show(await (await fetch('chelsea.jpg')).blob()));
