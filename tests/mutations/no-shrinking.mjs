import fc from 'fast-check';

// That a property fails is enough; the smallest counterexample takes most of its time.
fc.configureGlobal({ endOnFailure: true });
