// Opens the device, or says plainly what to do where there is none.

import init, { Device } from './pkg/deform_web.js';

/// The device, and its name as far as the browser tells.
export async function open() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) {
    throw new Error('This browser offers no WebGPU here. Chrome and Edge have it from version 113, Safari from 26, Firefox from 141 on Windows; '
      + 'on Linux, Chrome wants --enable-unsafe-webgpu. The page must come from https or localhost.');
  }
  await init();
  const { vendor, architecture } = adapter.info;
  return { device: await Device.open(), name: `${vendor} ${architecture}`.trim() || 'WebGPU' };
}
