import assert from "node:assert/strict";
import { test } from "node:test";

import { harvest } from "./harvest.js";

test("the trees' apples are added up", () => {
  assert.equal(harvest([{ name: "Discovery", apples: 40 }, { name: "Egremont Russet", apples: 25 }]), 65);
});
