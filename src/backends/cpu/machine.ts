/** What the addon says about the machine, within what the process's control groups leave to it. */
import { cgroupLimits, threadsWithin } from "../../io/cgroup.ts";
import type { Addon, AddonMachine } from "../addon.ts";

/** `root`: where /proc and /sys are. */
export function machineOf(addon: Addon, root = "/"): AddonMachine {
  const machine = addon.machine();
  const limits = cgroupLimits(root);
  const threads = threadsWithin(limits.cores);
  return {
    ...machine,
    physicalCores: Math.min(machine.physicalCores, threads),
    performanceCores: Math.min(machine.performanceCores, threads),
    usableCores: Math.min(machine.usableCores, threads),
    memoryBytes: Math.min(machine.memoryBytes, limits.memoryBytes),
    availableBytes: Math.min(machine.availableBytes, limits.availableBytes),
  };
}
