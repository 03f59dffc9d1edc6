// A digit as the network knows it, and what the network says of one.

#ifndef STUDIO_DIGIT_HPP
#define STUDIO_DIGIT_HPP

#include <mnist.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace studio {

constexpr std::size_t side = 28;
constexpr std::size_t classes = 10;

/// [28, 28] bytes: 0 is paper, 255 is ink.
using picture = std::array<std::uint8_t, side * side>;

/// The probability of each class.
using answer = std::array<float, classes>;

struct digit {
    studio::picture picture;
    std::uint8_t label;
};

inline std::size_t most_probable(const answer &of)
{
    return static_cast<std::size_t>(std::max_element(of.begin(), of.end()) - of.begin());
}

/// Image `i` of a dataset whose pixels are 0 to 255, or were divided by 255.
inline digit digit_of(const mnist::dataset &images, std::size_t i)
{
    const auto [pixels, label] = images.image(i);
    const float scale = images.dtype() == MNIST_DTYPE_U8 ? 1.0f : 255.0f;
    digit found{{}, static_cast<std::uint8_t>(label)};
    std::transform(pixels.begin(), pixels.end(), found.picture.begin(),
                   [&](float pixel) { return static_cast<std::uint8_t>(std::lround(pixel * scale)); });
    return found;
}

inline mnist::dataset dataset_of(const std::vector<std::uint8_t> &pixels, const std::vector<std::uint8_t> &labels)
{
    auto made = mnist::dataset::from_memory(pixels, {labels.size(), side, side, 1}, labels);
    made.normalize(255.0f);
    return made;
}

/// A picture as the network takes it.
inline std::vector<float> pixels_of(const picture &of)
{
    std::vector<float> pixels(of.begin(), of.end());
    for (float &pixel : pixels)
        pixel /= 255.0f;
    return pixels;
}

/// What the model says of a picture, at this moment; any thread may ask.
inline answer ask(const mnist::model &model, const picture &about)
{
    const std::vector<float> said = model.predict(pixels_of(about));
    answer found{};
    std::copy_n(said.begin(), std::min(said.size(), found.size()), found.begin());
    return found;
}

} // namespace studio

#endif
