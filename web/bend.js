// The page that bends a picture: it keeps the dragged points, shows the picture that deform computes from them, writes
// that call to a case file and reads such a file.

import { open } from './device.js';
import { Call, Kernel } from './pkg/deform_web.js';

const LONGEST = 480;
const MOST_BYTES = 256 << 20; // of a case file, which wasm's memory holds several times
const element = id => document.getElementById(id);
const [stage, picture, overlay, state, editing] = ['stage', 'picture', 'overlay', 'state', 'editing'].map(element);

let opened; // { device, name }, once the browser has given a device
let tasks = Promise.resolve(); // settles after the last task
let unfinished = 0; // number of tasks
let waiting = false; // whether a task that bends the picture has yet to start
let source; // ImageData of the original picture
let points = []; // { x, y, dx, dy } in pixels of the picture
let current = -1;
let hovered;
let shown; // the call whose result is shown, with that result

const flat = points => new Float32Array(points.flatMap(({ x, y, dx, dy }) => [x, y, dx, dy]));
const unflat = values => Array.from({ length: values.length / 4 }, (_, n) => {
  const [x, y, dx, dy] = values.slice(4 * n);
  return { x, y, dx, dy };
});
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
    // An earlier task may have shown a case that cannot be bent.
    return editing.disabled ? state.textContent : bent(source, points);
  });
}

/// Bends a picture and shows it. Returns the text for the state line.
async function bent(image, moved) {
  opened ??= await open();
  if (!image) throw new Error('There is no picture to bend.');
  const start = performance.now();
  const computed = await compute(Call.bend(image.data, image.width, flat(moved), kernel()));
  const milliseconds = performance.now() - start;
  if (image !== source) take(image, moved);
  present(computed);
  return `${size()}, ${count()}: ${milliseconds.toFixed(1)} ms with upload and read-back, `
    + `${(shown.flops / milliseconds / 1e6).toFixed(2)} GFLOP/s (${opened.name})`;
}

const size = () => `${source.width}×${source.height}`;
const count = () => `${points.length} point${points.length === 1 ? '' : 's'}`;

/// Computes a call on the device.
async function compute(call) {
  try {
    return await opened.device.run(call);
  } catch (error) {
    // The device may be lost, so the next task opens another.
    opened = undefined;
    throw new Error(`The device did not compute this: ${error.message}`);
  }
}

/// Takes a picture to work on. Without `moved`, its points, it cannot be bent.
function take(image, moved) {
  source = image;
  points = moved ?? [];
  current = -1;
  editing.disabled = !moved;
  for (const canvas of [picture, overlay]) [canvas.width, canvas.height] = [source.width, source.height];
}

/// Shows the result of a call.
function present(computed) {
  shown?.free();
  shown = computed;
  paint();
  draw();
}

/// Paints the output, or the input if the visitor wants to see it.
function paint() {
  const pixels = element('original').checked ? shown.input : shown.output;
  picture.getContext('2d').putImageData(new ImageData(new Uint8ClampedArray(pixels), shown.width), 0, 0);
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
  if (editing.disabled) return;
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
  if (editing.disabled) return;
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
editing.addEventListener('change', bend);
element('original').addEventListener('change', () => shown && paint());
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
// Otherwise choosing the same file again would be no change.
element('file').addEventListener('click', event => event.target.value = '');
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

/// Shows the picture or the case in a file. Returns the text for the state line.
const show = file => file.name.endsWith('.safetensors') ? showCase(file) : showPicture(file);

/// Shows a picture, scaled down if it is larger than LONGEST.
async function showPicture(blob) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    throw new Error('This file is no picture that the browser can read, and no case, whose name would end in .safetensors.');
  }
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map(size => Math.max(1, Math.round(size * scale)));
  const context = new OffscreenCanvas(width, height).getContext('2d');
  context.drawImage(bitmap, 0, 0, width, height);
  return bent(context.getImageData(0, 0, width, height), []);
}

/// Shows the call in a case file. If it comes from dragged points, one can go on dragging them.
async function showCase(file) {
  if (file.size > MOST_BYTES) {
    throw new Error(`This case has ${file.size >> 20} MiB, expected at most ${MOST_BYTES >> 20}.`);
  }
  opened ??= await open();
  const computed = await compute(Call.read(new Uint8Array(await file.arrayBuffer())));
  const { kernel: imported, max_abs_error: error } = computed;
  const known = imported && choose('size', imported.size) && choose('dilation', imported.dilation);
  if (known) element('v2').checked = imported.v2;
  take(new ImageData(new Uint8ClampedArray(computed.input), computed.width), known ? unflat(computed.points) : undefined);
  present(computed);
  const compared = error === undefined
    ? 'the file has no output to compare with'
    : `max abs error ${error.toPrecision(2)} against the file's output`;
  return `${size()}, ${known ? count() : "the file's own offsets, which cannot be dragged"}: ${compared} (${opened.name})`;
}

/// Chooses the entry of a list with this value. Returns whether the list has it.
function choose(list, value) {
  const entry = [...element(list).options].find(option => option.value === String(value));
  if (entry) entry.selected = true;
  return Boolean(entry);
}

perform(async () => showPicture(await (await fetch('chelsea.jpg')).blob()));
