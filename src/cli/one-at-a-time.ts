/**
 * Runs `work` at each call, one after the other, so that what the newest finds is what stays. However many calls come while it runs, it runs once more for all of them.
 */
export function oneAtATime(work: () => Promise<void>): () => void {
  let waits = false;
  let last = Promise.resolve();
  return () => {
    if (waits) return;
    waits = true;
    last = last.then(() => {
      waits = false;
      return work();
    });
  };
}
