import { openTempSpool } from '../support/temp-spool.ts';
import { spoolContract } from './spool-contract.ts';

spoolContract('the spool on disk', openTempSpool);
