// Runs every stored case and shows what came of it. A test waits for `window.result`, and sends itself the outcome where ?report is asked for.

import init, { Device } from './pkg/deform_web.js';

const ALLOWED = 1e-4;
const state = document.getElementById('state');
const results = document.getElementById('results');

function row(name, error, milliseconds) {
  const line = results.insertRow();
  line.insertCell().textContent = name;
  line.insertCell().textContent = typeof error === 'number' ? error.toExponential(1) : error;
  line.insertCell().textContent = milliseconds.toFixed(0);
  if (!(error <= ALLOWED)) line.className = 'wrong';
}

async function run() {
  if (!navigator.gpu) {
    throw new Error('This browser has no WebGPU. Chrome and Edge have it from version 113, Safari from 26, Firefox from 141 on Windows; '
      + 'on Linux, Chrome wants --enable-unsafe-webgpu. The page must come from https or localhost.');
  }
  await init();
  const device = await Device.open();
  const cases = await (await fetch('cases.json')).json();
  const wrong = [];
  for (const name of cases) {
    state.textContent = `${name} …`;
    const file = new Uint8Array(await (await fetch(name)).arrayBuffer());
    const start = performance.now();
    let error;
    try {
      error = await device.check(file);
    } catch (failure) {
      error = String(failure);
    }
    row(name, error, performance.now() - start);
    if (!(error <= ALLOWED)) wrong.push(`${name}: ${error}`);
  }
  return { device: device.describe(), cases: cases.length, wrong };
}

const result = await run().catch(failure => ({ cases: 0, wrong: [String(failure.message ?? failure)] }));
state.textContent = result.wrong.length
  ? `${result.wrong.length} wrong: ${result.wrong.join('; ')}`
  : `All ${result.cases} cases are right (${result.device}).`;
window.result = result;
if (new URLSearchParams(location.search).has('report')) {
  await fetch('report', { method: 'POST', body: JSON.stringify(result) });
}
