// Our index, kind `graph`.

export * from "./ours.mjs";

export const file = (base) => `${base}.graph.piece`;
