import { killTests } from '../chaos/transport-kill.js';

killTests(3);
