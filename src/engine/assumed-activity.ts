/** Share of neurons assumed to fire where no profile has counted: PowerInfer (2312.12456, §2.2) finds about a tenth. */
export const assumedActivity = 0.1;
