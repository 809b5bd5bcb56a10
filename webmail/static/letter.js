'use strict';
// The frame of an HTML letter is made as high as what it holds; the print button prints.
for (const frame of document.querySelectorAll('iframe[data-letter]')) {
  const fit = () => {
    const root = frame.contentDocument && frame.contentDocument.documentElement;
    if (!root) return;
    const sheet = frame.contentDocument.querySelector('.sheet');
    if (sheet) frame.style.height = Math.min(Math.ceil(sheet.getBoundingClientRect().height) + 2, 30000) + 'px';
  };
  frame.addEventListener('load', fit);
  window.addEventListener('resize', fit);
  fit();
}
for (const button of document.querySelectorAll('[data-print]')) {
  button.hidden = false;
  button.addEventListener('click', () => window.print());
}
