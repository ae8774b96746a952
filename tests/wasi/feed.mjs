// SPDX-License-Identifier: MIT
// node feed.mjs COMMAND...: runs a command whose standard input is a pipe. For each line "feed"
// that it prints it is given one more line, for "end" the end; other lines go on to the output.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const child = spawn(process.argv[2], process.argv.slice(3), { stdio: ['pipe', 'pipe', 'inherit'] });
createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'feed')
        child.stdin.write('fed\n');
    else if (line === 'end')
        child.stdin.end();
    else
        console.log(line);
});
child.stdin.on('error', () => {});
child.on('exit', (code) => { process.exitCode = code ?? 1; });
