// Names that are markup: they come from devices, which anybody may have taken.

import assert from 'node:assert/strict';
import { check, reader, receiver, store } from './world.mjs';

const DEVICE = `"><img src=x onerror=alert(1)> 'd`;
const SENSOR = '</script><script>alert(2)</script><b>s';
const VERSION = '<svg onload=alert(3)>';

export const tests = {
  async 'a name that is markup is text wherever it is shown'() {
    const server = await receiver('hostile');
    const status = { version: 1, program_version: VERSION, clock_unix_ms: Date.now(), service: { mode: 'continuous', interval_s: 300 }, tables: {} };
    const told = await fetch(`${server.url}/api/devices/${encodeURIComponent(DEVICE)}/status`, { method: 'PUT', body: JSON.stringify(status) });
    assert.equal(told.status, 204);
    await store(server, SENSOR, DEVICE);
    const marked = await fetch(`${server.url}/api/important`, { method: 'PUT', body: JSON.stringify({ device_id: DEVICE, sensor: SENSOR, important: true }) });
    assert.equal(marked.status, 204);
    // Any dialog, any request elsewhere and anything on the console fails this.
    const { page, open, close } = await reader(server);
    page.on('dialog', (dialog) => { dialog.dismiss(); assert.fail('a name became script'); });
    const asText = async (place, text) => {
      await page.getByText(text).filter({ visible: true }).first().waitFor();
      const made = await page.evaluate(() => document.querySelectorAll('main img, main script, main b, main [onload], main [onerror]').length);
      assert.equal(made, 0, `${place}: a name became markup`);
      await check(page, place);
    };
    for (const [place, text] of [
      ['/', DEVICE], [`/?q=${encodeURIComponent('<img')}`, DEVICE], ['/kept', SENSOR],
      [`/day?device=${encodeURIComponent(DEVICE)}&sensor=${encodeURIComponent(SENSOR)}`, SENSOR],
    ]) {
      await open(place);
      await asText(place, text);
    }
    // What comes live goes the same way.
    await page.locator('.live.on').waitFor();
    await store(server, SENSOR, DEVICE);
    await asText('live', SENSOR);
    await close();
    await server.stop();
  },
};
