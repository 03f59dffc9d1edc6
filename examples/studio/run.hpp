// What is kept of a training, so that the next one can be compared with it.

#ifndef STUDIO_RUN_HPP
#define STUDIO_RUN_HPP

#include "exam.hpp"
#include "meter.hpp"
#include "network.hpp"

#include <utility>
#include <vector>

namespace studio {

struct run {
    studio::network network;
    std::vector<std::pair<std::size_t, point>> curve; // each with its step
    std::vector<exam> exams;                          // one an epoch
};

} // namespace studio

#endif
