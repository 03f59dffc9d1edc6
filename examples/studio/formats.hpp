// The files that a model can be downloaded as.

#ifndef STUDIO_FORMATS_HPP
#define STUDIO_FORMATS_HPP

#include <mnist.hpp>

#include <map>
#include <string>
#include <vector>

namespace studio {

using file_bytes = std::vector<unsigned char>;

/// How to write each, by the name that a request has for it.
inline const std::map<std::string, file_bytes (*)(const mnist::model &)> &formats()
{
    static const std::map<std::string, file_bytes (*)(const mnist::model &)> all = {
        {"c", [](const mnist::model &model) { return model.save_c_memory("digits"); }},
        {"onnx", [](const mnist::model &model) { return model.save_onnx_memory(); }},
        {"keras", [](const mnist::model &model) { return model.save_keras_memory(); }},
        {"weights", [](const mnist::model &model) { return model.save_weights_memory(); }},
        {"model", [](const mnist::model &model) { return model.save_memory(); }},
    };
    return all;
}

} // namespace studio

#endif
