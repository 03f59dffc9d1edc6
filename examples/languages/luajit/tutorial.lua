-- The Keras MNIST tutorial from LuaJIT, which reads the unchanged header: first the binding, then the tutorial.
--
--     LD_LIBRARY_PATH=../../build luajit tutorial.lua [DATA WEIGHTS]

local ffi = require "ffi"

-- LuaJIT parses C declarations but has no preprocessor: the C++ parts and then all lines with a # are removed.
local folder = arg[0]:match "^(.*/)" or "./"
local header = assert(io.open(folder .. "../../../include/mnist.h")):read "*a"
ffi.cdef((header:gsub("#ifdef __cplusplus.-#endif", ""):gsub("#[^\n]*", "")))
local lib = ffi.load "libmnist.so.0"

-- The header's constants: MNIST.ACTIVATION_RELU.
local MNIST = {}
for name, value in header:gmatch "#define MNIST_(%S+) (%-?%d+)" do MNIST[name] = tonumber(value) end

-- The message of a failed call. One object is enough, because Lua has one thread.
local text = ffi.gc(lib.mnist_error_new(), lib.mnist_error_free)

-- Returns the name of a call's status, or raises an error: a table of status and message that prints as both.
local failure = { __tostring = function(self) return self.status .. ": " .. self.message end }
local function check(status)
  local name = ffi.string(lib.mnist_status_name(status))
  if status < 0 then
    error(setmetatable({ status = name, message = ffi.string(lib.mnist_error_message(text)) }, failure), 0)
  end
  return name
end

-- Trains, with `progress` called after each step; when it returns true, the fit stops. A Lua error must not pass through
-- the library: it stops the fit, too, and is raised again here.
local function fit(model, data, progress, wanted)
  local options, raised = ffi.new "mnist_fit_options"
  lib.mnist_fit_options_init(options, ffi.sizeof(options))
  for name, value in pairs(wanted) do options[name] = value end
  local callback = ffi.cast("mnist_callback", function(_, found)
    local good, stop = pcall(progress, found)
    if not good then raised = stop end
    return (stop or not good) and 1 or 0
  end)
  options.on_batch_end = callback
  local status = lib.mnist_model_fit(model, data, options, nil, text)
  callback:free() -- it is not freed automatically, and only a few hundred can exist
  if raised then error(raised, 0) end
  return check(status)
end
jit.off(fit) -- a call that calls back into Lua must not be compiled

-- The first `count` images of a dataset, with pixels from 0 to 1.
local function first(count, all)
  local out = ffi.new "mnist_dataset *[1]"
  check(lib.mnist_dataset_slice(all, 0, count, out, text))
  check(lib.mnist_dataset_normalize(out[0], 255, text))
  return ffi.gc(out[0], lib.mnist_dataset_free) -- it is freed when Lua collects it
end

local function load_data(path)
  local train, test = ffi.new "mnist_dataset *[1]", ffi.new "mnist_dataset *[1]"
  check(lib.mnist_load_data(path, train, test, text))
  return ffi.gc(train[0], lib.mnist_dataset_free), ffi.gc(test[0], lib.mnist_dataset_free)
end

local path, weights = arg[1] or "../../data/mnist.npz", arg[2] or "tutorial.safetensors"
print("libmnist " .. ffi.string(lib.mnist_version()))
local train, test = load_data(path)
train, test = first(3200, train), first(1000, test)
print(("%d images to learn from, %d to test with"):format(
  tonumber(lib.mnist_dataset_len(train)), tonumber(lib.mnist_dataset_len(test)))) -- a size_t is not a Lua number

-- A failed layer call returns NULL, so do the following calls, and mnist_model_new reports why.
local graph = ffi.gc(lib.mnist_graph_new(), lib.mnist_graph_free)
lib.mnist_graph_set_seed(graph, 42)
local input = lib.mnist_input(graph, 28, 28, 1)
local x = lib.mnist_conv2d(input, 32, 3, MNIST.ACTIVATION_RELU)
x = lib.mnist_conv2d(x, 64, 3, MNIST.ACTIVATION_RELU)
x = lib.mnist_flatten(x)
x = lib.mnist_dense(x, 128, MNIST.ACTIVATION_RELU)
x = lib.mnist_dense(x, 10, MNIST.ACTIVATION_SOFTMAX)
local out = ffi.new "mnist_model *[1]"
check(lib.mnist_model_new(input, x, "tutorial", out, text))
local model = ffi.gc(out[0], lib.mnist_model_free)
check(lib.mnist_model_compile(model, nil, text)) -- Adam with Keras's defaults

fit(model, train, function(p)
  local batch = tonumber(p.batch) + 1
  if batch % 20 == 0 then
    print(("batch %3d of %d: loss %.4f, accuracy %.4f"):format(batch, tonumber(p.batches), p.loss, p.accuracy))
  end
end, { verbose = 0, seed = 7 })

local metrics = ffi.new "mnist_metrics"
check(lib.mnist_model_evaluate(model, test, nil, metrics, text))
print(("test: loss %.4f, accuracy %.4f"):format(metrics.loss, metrics.accuracy))

local image, label, probabilities = ffi.new "float[28 * 28]", ffi.new "uint32_t[1]", ffi.new "float[10]"
check(lib.mnist_dataset_image(test, 0, image, 28 * 28, label, text))
check(lib.mnist_model_predict(model, image, 1, probabilities, 10, text))
local best = 0
for digit = 1, 9 do
  if probabilities[digit] > probabilities[best] then best = digit end
end
print(("label %d, predicted %d with %.2f%%"):format(label[0], best, 100 * probabilities[best]))
check(lib.mnist_model_save_weights(model, weights, text))

-- There is no other thread to cancel from, so the callback cancels.
print("a long fit: " .. fit(model, train, function(p)
  if p.batch == 2 then lib.mnist_model_cancel(model) end
end, { verbose = 0, epochs = 1000 }))

print("an error: " .. tostring(select(2, pcall(load_data, "nothing.npz"))))
