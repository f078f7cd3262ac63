/**
 * The address of this file alone. The published package, whose other modules lie together in a few files, keeps it as a
 * file of its own: what lies beside it (package-root.ts) is found there as in a checkout.
 */

/** Undefined in a bundle of CommonJS, which has no import.meta. */
export const ownPlace: string | undefined = import.meta.url;
