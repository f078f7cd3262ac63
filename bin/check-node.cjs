// Whether this Node can run hearth, in one line. In words that every Node knows, the oldest too: no syntax after ES5.
"use strict";

/** Of package.json's "engines". */
var oldest = [20, 19];

/** A sentence for people, or undefined where `version`, as "20.19.0", is new enough. */
function nodeProblem(version) {
  var parts = version.split(".");
  var major = Number(parts[0]);
  var minor = Number(parts[1]);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return undefined;
  return (
    "hearth needs Node " + oldest.join(".") + " or newer and this is Node " + version +
    " (" + process.execPath + "): install a newer one, or put it first in PATH"
  );
}

/** Ends the process unless it is new enough. */
exports.checkNode = function checkNode() {
  var problem = nodeProblem(process.versions.node);
  if (problem === undefined) return;
  process.stderr.write("hearth: " + problem + "\n");
  process.exit(1);
};
