// The keys, in a dialog, and the switch that turns them off.

import { h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { keysAreOff, switchKeys } from '../lib/keys.js';

const KEYS = [
  ['j k', 'help.rows'], ['Enter', 'help.open'], ['n p', 'help.clips'], ['␣', 'help.play'], ['← →', 'help.seek'],
  ['< >', 'help.speed'], ['d', 'help.download'], ['x', 'help.pin'], ['+ -', 'help.zoom'], ['/', 'help.search'], ['g d', 'help.devices'],
  ['g t', 'help.today'], ['g n', 'help.new'], ['?', 'help.help'], ['Esc', 'help.escape'],
];

export function help() {
  const off = h('input', { type: 'checkbox', id: 'keys-off', change: () => switchKeys(off.checked) });
  off.checked = keysAreOff();
  const dialog = h('dialog', { 'aria-labelledby': 'help-title', close: () => dialog.remove() },
    h('h2', { id: 'help-title' }, t('help.title')),
    h('dl', { class: 'keys' }, KEYS.map(([keys, text]) => [
      h('dt', {}, keys.split(' ').map((key) => h('kbd', {}, key))), h('dd', {}, t(text)),
    ])),
    h('p', {}, off, h('label', { for: 'keys-off' }, ` ${t('help.off')}`)),
    h('button', { class: 'primary', click: () => dialog.close() }, t('help.close')));
  document.body.append(dialog);
  dialog.showModal();
}
