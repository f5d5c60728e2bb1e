// Runs every stored case and shows its error and time.

import { open } from './device.js';

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
  const { device, name: deviceName } = await open();
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
  return { device: deviceName, cases: cases.length, wrong };
}

const result = await run().catch(failure => ({ cases: 0, wrong: [String(failure.message ?? failure)] }));
state.textContent = result.wrong.length
  ? `${result.wrong.length} wrong: ${result.wrong.join('; ')}`
  : `All ${result.cases} cases are right (${result.device}).`;
state.className = 'done';
// A test that drives the browser reads this.
window.result = result;
