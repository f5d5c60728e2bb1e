// Opens the device, or says plainly what to do where there is none.

import init, { Device } from './pkg/deform_web.js';

export async function open() {
  if (!navigator.gpu) {
    throw new Error('This browser has no WebGPU. Chrome and Edge have it from version 113, Safari from 26, Firefox from 141 on Windows; '
      + 'on Linux, Chrome wants --enable-unsafe-webgpu. The page must come from https or localhost.');
  }
  await init();
  return Device.open();
}

/// Tells the test that waits for it, where ?report is asked for.
export async function report(result) {
  window.result = result;
  if (new URLSearchParams(location.search).has('report')) {
    await fetch('report', { method: 'POST', body: JSON.stringify(result) });
  }
}
