// The page that bends a picture: it keeps the dragged points and shows the picture that deform computes from them.

import { open } from './device.js';
import { Kernel, taps } from './pkg/deform_web.js';

const LONGEST = 480;
const element = id => document.getElementById(id);
const [stage, picture, overlay, state] = ['stage', 'picture', 'overlay', 'state'].map(element);

let device;
let name; // name of the device
let source; // ImageData of the original picture
let points = []; // { x, y, dx, dy } in pixels of the picture
let current = -1;
let hovered;
let busy;
let again = false;
let last; // { milliseconds, gflops }

const flat = () => new Float32Array(points.flatMap(({ x, y, dx, dy }) => [x, y, dx, dy]));
const kernel = () => new Kernel(Number(element('size').value), Number(element('dilation').value), element('v2').checked);

/// Bends the picture, and bends it again if something changed in the meantime.
async function bend() {
  if (busy) {
    again = true;
    return busy;
  }
  stage.setAttribute('aria-busy', true);
  busy = (async () => {
    do {
      again = false;
      const shape = kernel();
      const start = performance.now();
      const bent = await device.bend(source.data, source.width, flat(), shape);
      const milliseconds = performance.now() - start;
      last = { milliseconds, gflops: bent.flops / milliseconds / 1e6 };
      const image = new ImageData(new Uint8ClampedArray(bent.rgba), source.width);
      picture.getContext('2d').putImageData(image, 0, 0);
      bent.free();
      shape.free();
    } while (again);
  })();
  try {
    await busy;
    state.textContent = `${source.width}×${source.height}, ${points.length} point${points.length === 1 ? '' : 's'}: `
      + `${last.milliseconds.toFixed(1)} ms with upload and read-back, ${last.gflops.toFixed(2)} GFLOP/s (${name})`;
  } finally {
    busy = undefined;
    stage.removeAttribute('aria-busy');
  }
  draw();
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
  if (hovered) {
    const shape = kernel();
    const places = taps(source.width, flat(), shape, hovered.x, hovered.y);
    shape.free();
    context.fillStyle = '#ff2d55';
    for (let n = 0; n < places.length; n += 2) context.fillRect(places[n] - 1.5, places[n + 1] - 1.5, 3, 3);
  }
}

/// Returns the position of an event in pixels of the picture.
function place(event) {
  const box = overlay.getBoundingClientRect();
  return {
    x: (event.clientX - box.left) * source.width / box.width,
    y: (event.clientY - box.top) * source.height / box.height,
  };
}

overlay.addEventListener('pointerdown', event => {
  const { x, y } = place(event);
  // A press near the end of a point moves that point.
  current = points.findIndex(point => Math.hypot(point.x + point.dx - x, point.y + point.dy - y) < 10);
  if (current < 0) current = points.push({ x, y, dx: 0, dy: 0 }) - 1;
  overlay.setPointerCapture(event.pointerId);
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
    current = points.push({ x: source.width / 2, y: source.height / 2, dx: 0, dy: 0 }) - 1;
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
element('file').addEventListener('change', event => event.target.files[0] && show(event.target.files[0]));
stage.addEventListener('dragover', event => {
  event.preventDefault();
  stage.classList.add('over');
});
stage.addEventListener('dragleave', () => stage.classList.remove('over'));
stage.addEventListener('drop', event => {
  event.preventDefault();
  stage.classList.remove('over');
  const [file] = event.dataTransfer.files;
  if (file) show(file);
});

/// Loads a picture, scales it down if it is larger than LONGEST, and shows it.
async function show(blob) {
  stage.setAttribute('aria-busy', true);
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    state.textContent = 'This file is no picture that the browser can read.';
    stage.removeAttribute('aria-busy');
    return;
  }
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map(size => Math.max(1, Math.round(size * scale)));
  for (const canvas of [picture, overlay]) [canvas.width, canvas.height] = [width, height];
  const context = picture.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, width, height);
  source = context.getImageData(0, 0, width, height);
  points = [];
  current = -1;
  await bend();
}

try {
  ({ device, name } = await open());
  await show(await (await fetch('chelsea.jpg')).blob());
} catch (failure) {
  state.textContent = failure.message ?? String(failure);
  state.className = 'wrong';
  stage.removeAttribute('aria-busy');
}
