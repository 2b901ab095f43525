/** Fails when a clause of docs/protocol.md has no test, when a test cites a clause that is not there, or when vectors lie unused. */
import { finish } from './lib-findings.ts';
import { conformanceFindings, currentConformance, vectorFindings } from './lib-conformance.ts';

const conformance = currentConformance();
const { clauses, evidence } = conformance;
finish(
  [...conformanceFindings(conformance), ...vectorFindings()],
  `${clauses.length} clauses of docs/protocol.md are shown by ${evidence.length} citations`,
);
