// Opens the device, or explains which browsers have WebGPU.

import init, { Device } from './pkg/deform_web.js';

/// Returns the device, and its name as far as the browser reveals it.
export async function open() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) {
    throw new Error('This browser offers no WebGPU on this page. Chrome and Edge have it from version 113, Safari from 26, '
      + 'Firefox from 141 on Windows. Chrome on Linux needs --enable-unsafe-webgpu. The page must be loaded from https or localhost.');
  }
  await init();
  const { vendor, architecture } = adapter.info;
  return { device: await Device.open(), name: `${vendor} ${architecture}`.trim() || 'WebGPU' };
}
