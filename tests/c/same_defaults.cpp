// The C++ layer's options have C's defaults. tests/cpp.rs writes the comparisons, one for each number.

#include "expect.hpp"

template <typename C, typename Number> void same(const char *what, void (*init)(C *, std::size_t), Number C::*field, double here)
{
    C options;
    init(&options, sizeof options);
    checks++;
    if (static_cast<double>(options.*field) != here) {
        std::fprintf(stderr, "%s: %g in C, %g here\n", what, static_cast<double>(options.*field), here);
        failures++;
    }
}

#define SAME(type, field) \
    same(#type "." #field, mnist_##type##_init, &mnist_##type::field, static_cast<double>(mnist::type().field))

#include "generated.hpp" // compare()

int main()
{
    compare();
    return report();
}
