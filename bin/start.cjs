// Starts the command line, which is made of ES modules.
"use strict";

import("../dist/cli/start.js");
