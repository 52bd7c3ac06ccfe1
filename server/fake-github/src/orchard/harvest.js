/** How many apples these trees bear together. */
export function harvest(trees) {
  return trees.map((tree) => tree.apples).reduce((sum, apples) => sum + apples);
}
