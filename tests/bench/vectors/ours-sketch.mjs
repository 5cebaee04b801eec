// Our index, kind `sketch`.

export * from "./ours.mjs";

export const file = (base) => `${base}.sketch.piece`;
