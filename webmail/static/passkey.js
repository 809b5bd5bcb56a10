'use strict';
// Passkeys (WebAuthn): a form with data-passkey asks its server for options, the device for an answer, and
// sends that as a field. Without this script the form stays as it is, and says so.
(() => {
  const octets = (text) => {
    const plain = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
    return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  };
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

  const asked = (options) => {
    options.challenge = octets(options.challenge);
    if (options.user) options.user.id = octets(options.user.id);
    for (const list of [options.excludeCredentials, options.allowCredentials]) {
      for (const one of list || []) one.id = octets(one.id);
    }
    return options;
  };

  const told = (credential) => {
    const response = {};
    for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    }
    return JSON.stringify({
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
      clientExtensionResults: credential.getClientExtensionResults(),
    });
  };

  const run = async (form) => {
    const fields = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.dataset.begin, { method: 'POST', body: fields, credentials: 'same-origin' });
    const options = await answer.json();
    if (!answer.ok) throw new Error(options.error || '');
    const publicKey = asked(options);
    const credential = form.dataset.passkey === 'create'
      ? await navigator.credentials.create({ publicKey })
      : await navigator.credentials.get({ publicKey });
    form.elements.reponse.value = told(credential);
    form.submit();
  };

  if (!window.PublicKeyCredential || !navigator.credentials) return;
  for (const form of document.querySelectorAll('form[data-passkey]')) {
    const button = form.querySelector('button');
    const failed = form.querySelector('[role=alert]');
    button.hidden = false;
    form.querySelector('[data-without]').hidden = true;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      failed.hidden = true;
      button.disabled = true;
      run(form).catch((error) => {
        failed.textContent = error.name === 'Error' && error.message ? error.message : form.dataset.failed;
        failed.hidden = false;
      }).finally(() => { button.disabled = false; });
    });
  }
})();
