#!/usr/bin/env node
// The command `hearth`: judges this Node in words that every Node knows, then starts what only newer ones understand.
"use strict";

require("./check-node.cjs").checkNode();
// A file of its own: an old Node would refuse this one for the word `import`.
require("./start.cjs");
