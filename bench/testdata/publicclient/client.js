// A plain client of a named pipe in Node: node client.js PIPE WORD prints both lines that it reads.
const net = require('node:net')

const [pipe, word] = process.argv.slice(2)
const socket = net.connect(pipe)
let heard = ''
socket.setEncoding('utf8')
socket.on('data', (data) => {
  const first = !heard.includes('\n')
  heard += data
  if (first && heard.includes('\n')) socket.write(word + '\n')
})
socket.on('error', (error) => {
  console.log(String(error))
  process.exitCode = 1
})
socket.on('close', () => process.stdout.write(heard))
