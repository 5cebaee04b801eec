// Our index, kind `flat`.

export * from "./ours.mjs";

export const file = (base) => `${base}.flat.piece`;
