/** Registers the service worker, where the browser allows one: on this machine, and over HTTPS. */

/** Of browsers that know of trusted types: an address of a script comes from a policy that the server's headers name. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(address: string): string },
  ): { createScriptURL(address: string): string };
}

const address = new URL("page/service-worker.js", document.baseURI).href;

export function registerServiceWorker(): void {
  if (!("serviceWorker" in navigator)) return;
  const { trustedTypes } = globalThis as { readonly trustedTypes?: TrustedTypes };
  const policy = trustedTypes?.createPolicy("hearth", { createScriptURL: onlyOwn });
  const script = policy?.createScriptURL(address) ?? address;
  const scope = new URL(".", document.baseURI).pathname;
  navigator.serviceWorker.register(script, { scope }).catch(() => undefined);
}

/** @throws TypeError for any other script */
function onlyOwn(given: string): string {
  if (given === address) return given;
  throw new TypeError(`${given} is no script of this page`);
}
